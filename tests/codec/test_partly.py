"""Packets of which the deepest levels are undone: with those that are left undone too, they are the signal."""

import pytest
import torch

from walloc_data.codec import CodecConfig, fit
from walloc_data.codec.conv import ConvDecoder
from walloc_data.codec.decoders import decode_by
from walloc_data.codec.packets import analyze, synthesize
from walloc_data.codec.partly import levels_left, levels_undone, undo
from walloc_data.codec.refine import RefineDecoder

LEVELS = [(3,), (2, 2), (1, 3), (0, 3), (2, 3, 3), (0, 2, 2), (1, 2, 2)]


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("wavelet", ["10/18", "bior4.4", "haar"])
def test_what_is_left_is_of_fewer_levels(levels: tuple[int, ...], wavelet: str) -> None:
    size = [2**level * n for level, n in zip(levels, (6, 4, 3), strict=False)]
    x = torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = analyze(x, wavelet=wavelet, levels=levels)
    for finer in range(1, max(levels)):
        left = levels_left(levels, finer)
        fewer = undo(y, wavelet=wavelet, levels=levels, finer=finer)
        torch.testing.assert_close(fewer, analyze(x, wavelet=wavelet, levels=left), atol=1e-9, rtol=0)
        torch.testing.assert_close(synthesize(fewer, wavelet=wavelet, levels=left), x, atol=1e-9, rtol=0)
        assert sum(left) + sum(levels_undone(levels, finer)) == sum(levels)


@pytest.mark.parametrize("levels", LEVELS)
def test_a_new_network_on_any_finer_grid_adds_nothing_and_empty_batches_are_decoded(levels: tuple[int, ...]) -> None:
    dims = len(levels)
    kind = {1: "audio", 2: "image", 3: "video"}[dims]
    config = CodecConfig(name="some", kind=kind, signal_channels=2, dims=dims, levels=levels, wavelet="10/18")
    size = [2**level * 4 for level in levels]
    x = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(0)) / 2
    codec = fit([x], config, channels=3)
    few = config.packet_channels >> sum(levels_undone(levels, 1))
    network = RefineDecoder(ConvDecoder.new(few, few, dims, width=4, blocks=1, kernel=3), levels, 1)
    for z in (torch.randn(2, 3, *[4] * dims), torch.zeros(0, 3, *[4] * dims)):
        matrix = torch.randn(config.packet_channels, 3, generator=torch.Generator().manual_seed(1))
        one, other = (
            decode_by(each, lambda: z, z, matrix, "10/18", levels, finish=lambda x: x)  # noqa: B023
            for each in (codec.network, network)
        )
        assert one.shape == (len(z), 2, *size)
        torch.testing.assert_close(other, one, atol=1e-4, rtol=1e-4)
