"""Decoders: what they add, files of them, and what is refused."""

import pickle

import pytest
import torch

from tests.synthetic import NAMES, photograph
from walloc_data.codec import Codec, CodecConfig, fit, read_tensors, write_tensors
from walloc_data.codec.conv import ConvDecoder
from walloc_data.codec.decoders import DECODERS
from walloc_data.codec.levels import each_axis
from walloc_data.codec.partly import levels_undone
from walloc_data.codec.refine import RefineDecoder
from walloc_data.errors import CodecError
from walloc_data.zoo import load_codec, save_codec

SMALL = {"width": 8, "blocks": 2, "kernel": 3}


def with_network(codec: Codec, *, seed: int = 0, adds: bool = True, finer: int = 0) -> Codec:
    config = codec.config
    network: ConvDecoder | RefineDecoder
    if finer:
        first = with_network(codec, seed=seed + 1).network if adds else None
        levels = each_axis(config.levels, config.dims)
        few = config.packet_channels >> sum(levels_undone(levels, finer))
        own = ConvDecoder.new(few, few, config.dims, **SMALL, seed=seed)
        network = RefineDecoder(own, levels, finer, first)
    else:
        sizes = (codec.channels, config.packet_channels, config.dims)
        network = ConvDecoder.new(*sizes, **SMALL, gain=1 / codec.steps, seed=seed)
    if adds:
        draw = torch.Generator().manual_seed(seed)
        network.tensors["output"] = (torch.randn(network.tensors["output"].shape, generator=draw) / 100).half().float()
    parts = {name: getattr(codec, name) for name in ("mean", "odd", "encoder", "decoder", "steps", "scale")}
    return Codec(config, **parts, network=network)


def latents(codec: Codec, *size: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    return torch.randint(-9, 10, (2, codec.channels, *size), generator=draw, dtype=torch.int8)


@pytest.fixture(params=[0, 1], ids=["conv", "refine"])
def finer(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module", params=[1, 2, 3])
def codec(request: pytest.FixtureRequest) -> Codec:
    signals = {
        1: (torch.sin(torch.arange(512) / torch.tensor([[7.0], [11.0]])) * 0.7).reshape(1, 2, -1),
        2: photograph(NAMES[0])[None, :, :64, :64],
        3: photograph(NAMES[0])[:1, :32, :32, None].expand(1, 32, 32, 16)[None],
    }
    config = CodecConfig(
        name="some",
        kind={1: "audio", 2: "image", 3: "video"}[request.param],
        signal_channels=signals[request.param].shape[1],
        dims=request.param,
        levels=2,
        wavelet="10/18",
    )
    return fit([signals[request.param]], config, channels=3)


def test_names_of_decoders_are_permanent() -> None:
    assert {name: cls.name for name, cls in DECODERS.items()} == {name: name for name in ("linear", "conv", "refine")}


def test_a_new_one_is_the_linear_decoder_in_any_dimension(codec: Codec, finer: int) -> None:
    z = latents(codec, *[6, 5, 4][: codec.config.dims])
    # Packets of clips are added to before they are transformed, and else not made for a whole clip: rounding differs.
    new = with_network(codec, adds=False, finer=finer)
    torch.testing.assert_close(new.decode(z), codec.decode(z), atol=1e-6 if not finer else 1e-5, rtol=0)
    assert not torch.allclose(with_network(codec, finer=finer).decode(z), codec.decode(z), atol=1e-3)


def test_floats_are_decoded_alike_and_pass_gradients(codec: Codec, finer: int) -> None:
    learned, z = with_network(codec, finer=finer), latents(codec, *[6, 5, 4][: codec.config.dims])
    floats = learned.dequantize(z).requires_grad_()
    decoded = learned.decode(floats)
    torch.testing.assert_close(decoded.detach(), learned.decode(z), atol=1e-5, rtol=0)
    decoded.sum().backward()
    assert floats.grad is not None
    assert floats.grad.abs().max() > 0
    assert learned.decode(floats.detach().double()).dtype == torch.float64


def test_files_keep_it_and_the_fingerprint_does_not_see_it(codec: Codec, finer: int, tmp_path) -> None:
    learned, z = with_network(codec, finer=finer), latents(codec, *[6, 5, 4][: codec.config.dims])
    assert learned.fingerprint == codec.fingerprint
    save_codec(learned, tmp_path / "some.safetensors")
    name = "refine" if finer else "conv"
    for again in (load_codec(tmp_path / "some.safetensors"), pickle.loads(pickle.dumps(learned))):
        assert (again.network.name, again.network.parameters) == (name, learned.network.parameters)
        assert torch.equal(again.decode(z), learned.decode(z))
    coarser = learned.coarser(2)
    torch.testing.assert_close(coarser.decode(z), learned.decode(2 * z), atol=1e-5, rtol=0)
    assert learned.prefix(2).network.name == "linear"


def test_the_margin_of_slices_has_the_reach_of_the_network(codec: Codec, finer: int) -> None:
    learned = with_network(codec, finer=finer)
    margin = learned.margin
    reach = SMALL["blocks"] * (SMALL["kernel"] // 2)
    assert margin == codec.margin + reach + (reach // 2 if finer else 0)
    length, factor = 2 * margin + 2, learned.config.factors[0]
    z = latents(codec, *[length + 6, 5, 4][: codec.config.dims])
    whole, part = learned.decode(z), learned.decode(z[:, :, 3 : 3 + length])
    inside = slice(margin * factor, (margin + 2) * factor)
    torch.testing.assert_close(part[:, :, inside], whole[:, :, 3 * factor :][:, :, inside], atol=1e-5, rtol=0)


def test_a_file_without_a_decoder_is_of_the_linear_one(tmp_path) -> None:
    save_codec(load_codec("rgb-f8c12"), tmp_path / "some.safetensors")
    _, metadata = read_tensors(tmp_path / "some.safetensors")
    assert "decoder" not in metadata["codec"]
    assert load_codec(tmp_path / "some.safetensors").network.name == "linear"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors, decoder: decoder.update(name="diffusion"), "'diffusion' is none of those.*upgrade"),
        (lambda tensors, decoder: tensors.pop("decoder.expand"), "'expand' is missing"),
        (lambda tensors, decoder: tensors.update({"decoder.gain": torch.ones(5)}), "gain has shape"),
        (lambda tensors, decoder: tensors["decoder.gain"].fill_(torch.inf), "not finite"),
        (lambda tensors, decoder: decoder.update(width=9), "input has shape"),
        (lambda tensors, decoder: decoder.update(kernel=4), "whole numbers"),
        (lambda tensors, decoder: decoder.update(blocks="2"), "whole numbers"),
        (lambda tensors, decoder: decoder.pop("width"), "damaged"),
        (lambda tensors, decoder: decoder.pop("name"), "damaged"),
        (lambda tensors, decoder: decoder.update(name="refine", finer=1), "gain has shape"),
        (lambda tensors, decoder: decoder.update(name="refine", finer=3), "finer=3 is not"),
        (lambda tensors, decoder: decoder.update(name="refine", finer=0), "finer=0 is not"),
        (lambda tensors, decoder: decoder.update(name="refine", finer="1"), "finer='1' is not"),
        (lambda tensors, decoder: decoder.update(name="refine"), "damaged"),
        (
            lambda tensors, decoder: decoder.update(name="refine", finer=1, first=dict(decoder)),
            "first network: .*'gain' is missing",
        ),
        (lambda tensors, decoder: decoder.update(name="refine", finer=1, first=3), "damaged"),
    ],
)
def test_what_is_wrong_in_a_file_is_a_sentence(change, said: str, tmp_path) -> None:
    path = tmp_path / "some.safetensors"
    save_codec(with_network(load_codec("gray-f8c4")), path)
    tensors, metadata = read_tensors(path)
    change(tensors, metadata["codec"]["decoder"])
    write_tensors(path, tensors, metadata)
    with pytest.raises(CodecError, match=said) as caught:
        load_codec(path)
    assert str(caught.value).startswith(str(path))


def test_a_decoder_of_other_latents_is_refused() -> None:
    with pytest.raises(CodecError, match="is of other latents"):
        load_codec("rgb-f8c12").with_decoder(load_codec("rgb-f8c48"))


def test_a_linear_decoder_computes_nothing_for_a_network(monkeypatch):
    codec = load_codec("rgb-f8c12")
    monkeypatch.setattr(Codec, "_unscaled", lambda *_, stored: pytest.fail("nothing needs them"))
    assert codec.decode(torch.ones(1, 12, 4, 4, dtype=torch.int8)).shape == (1, 3, 32, 32)
