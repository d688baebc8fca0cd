"""A slice of latents is the latents of that part of the signal, but for a margin."""

import pytest
import torch

from tests.sounds import sound
from tests.synthetic import photograph
from walloc_data.codec import CodecConfig, fit
from walloc_data.codec.packets import analyze
from walloc_data.codec.wavelets import margin


@pytest.mark.parametrize("wavelet", ["haar", "10/18", "bior4.4", "sym16"])
@pytest.mark.parametrize("levels", [1, 2, 5])
def test_no_packet_reaches_further_and_of_one_level_some_do_as_far(wavelet: str, levels: int) -> None:
    k, factor = margin(wavelet, levels), 2**levels
    x = torch.randn(1, 1, 160 * factor, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    part = analyze(x[..., 50 * factor : 100 * factor], wavelet=wavelet, levels=levels)
    differs = (part - analyze(x, wavelet=wavelet, levels=levels)[..., 50:100]).abs().amax((0, 1)) > 1e-11
    assert not differs[k : 50 - k].any()
    assert levels > 1 or k == 0 or bool(differs[k - 1] | differs[50 - k])


@pytest.mark.parametrize("wavelet", ["10/18", "bior4.4"])
@pytest.mark.parametrize("samples", [12800, 12777])
def test_slices_of_sound(wavelet: str, samples: int) -> None:
    x = torch.from_numpy(sound(2, channels=2)).double()[None, :, :samples]
    config = CodecConfig(name="s", kind="audio", signal_channels=2, dims=1, levels=5, wavelet=wavelet)
    codec = fit([x], config, channels=32)
    whole, first, last, k = codec.encode(x), 100, 200, codec.margin
    assert isinstance(k, int)
    start = 32 * first - (-samples % 32) // 2  # as padding is shared by both sides
    part = codec.encode(x[:, :, start : start + 32 * (last - first)])
    assert torch.equal(part[..., k:-k], whole[..., first + k : last - k])
    assert not torch.equal(part, whole[..., first:last])
    decoded = codec.decode(whole[..., first:last].double())
    within = slice(32 * k, -32 * k)
    expected = codec.decode(whole.double())[..., 32 * first : 32 * last]
    torch.testing.assert_close(decoded[..., within], expected[..., within])


def test_each_dimension_has_its_own_margin() -> None:
    image = photograph("china.jpg", "L")[None].double() / 255
    config = CodecConfig(name="i", kind="image", signal_channels=1, dims=2, levels=(1, 3), wavelet="10/18")
    codec = fit([image], config, channels=4)
    assert codec.margin == (4, 7)
    part = codec.encode(image[:, :, 20:220, 80:480])
    whole = codec.encode(image[:, :, :426])[:, :, 10:110, 10:60]
    assert torch.equal(part[:, :, 4:-4, 7:-7], whole[:, :, 4:-4, 7:-7])
