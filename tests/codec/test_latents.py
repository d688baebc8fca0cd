"""Latents as floats, which models predict, and prefixes of channels."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.synthetic import NAMES, photograph
from walloc_data.codec import Codec, psnr
from walloc_data.errors import CodecError
from walloc_data.transforms import flip
from walloc_data.zoo import load_codec


@pytest.fixture(scope="module")
def codec() -> Codec:
    return load_codec("rgb-f8c48")


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.stack([photograph(name)[:, :64, :96] for name in NAMES[:2]])


def test_quantize_undoes_dequantize(codec: Codec) -> None:
    every = torch.arange(-127, 128, dtype=torch.int8).reshape(1, -1, 1).expand(codec.channels, -1, 1).contiguous()
    assert torch.equal(codec.quantize(codec.dequantize(every)), every)
    batch = every[None].expand(3, -1, -1, -1)
    for dtype in (torch.float32, torch.float64):
        assert torch.equal(codec.quantize(codec.dequantize(batch).to(dtype)), batch)
    off = codec.dequantize(every) + 0.4 * codec.dequantize(torch.ones_like(every))
    assert torch.equal(codec.quantize(off)[:, :-1], every[:, :-1])


def test_quantize_saturates_and_refuses(codec: Codec) -> None:
    far = torch.full((codec.channels, 1, 2), 1e9)
    far[..., 1] = -torch.inf
    assert codec.quantize(far).unique().tolist() == [-127, 127]
    with pytest.raises(CodecError, match="NaN"):
        codec.quantize(far * torch.nan)
    for wrong in (far.to(torch.int8), far[:12]):
        with pytest.raises(CodecError, match=r"takes latents float \[\.\.\., 48, 2 space dims\], not"):
            codec.quantize(wrong)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_decode_takes_what_dequantize_gave(codec: Codec, images: Tensor, dtype: torch.dtype) -> None:
    z = codec.encode(images)
    expected = codec.decode(z)
    floats = codec.dequantize(z).to(dtype)
    found = codec.decode(floats, size=(64, 96))
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    tolerance = {torch.float16: 5e-3, torch.bfloat16: 5e-2}.get(dtype, 1e-5)
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=tolerance)
    torch.testing.assert_close(found, codec.decode(floats))


def test_gradients_pass_through_decode_of_floats(codec: Codec, images: Tensor) -> None:
    with torch.inference_mode():
        codec.decode(codec.dequantize(codec.encode(images)))  # what it keeps from here must serve below
    predicted = torch.randn(1, 48, 4, 4, dtype=torch.float64, requires_grad=True)

    def decoded(z: Tensor) -> Any:
        return codec.decode(0.01 * z)

    assert torch.autograd.gradcheck(decoded, (predicted,), fast_mode=True)
    assert codec.decode(codec.encode(images)).requires_grad is False


def test_a_prefix_is_a_codec_of_the_first_channels(codec: Codec, images: Tensor) -> None:
    few = codec.prefix(12)
    assert (few.channels, few.name, few.factor) == (12, "rgb-f8c48:12", 8)
    z = codec.encode(images)
    first = z[:, :12].contiguous()
    assert (few.encode(images) != first).sum() <= 1  # a sum of fewer channels may round to the other side
    assert torch.equal(few.dequantize(first), codec.dequantize(z)[:, :12])
    assert torch.equal(flip(first, few), flip(z, codec)[:, :12])
    alone = torch.zeros_like(z)
    alone[:, :12] = first
    torch.testing.assert_close(few.decode(first), codec.decode(alone))
    assert psnr(few.decode(first), images / 255) > 20
    assert few.fingerprint != codec.fingerprint
    assert codec.prefix(48) is codec
    loaded = Codec.from_state(*few.state(), origin="here")
    assert loaded.fingerprint == few.fingerprint


@pytest.mark.parametrize("count", [0, 49, -1, 2.0, "12", None])
def test_what_is_no_prefix(codec: Codec, count: Any) -> None:
    with pytest.raises(CodecError, match="has 48 channels: take 1 to 48"):
        codec.prefix(count)
