"""Packets are those of PyWavelets, invertible, and even or odd under reversal."""

from itertools import product

import numpy as np
import pytest
import pywt
import torch

from walloc_data.codec.packets import analyze, centre_frequencies, parity_classes, subband_parity, synthesize
from walloc_data.codec.wavelets import filter_bank
from walloc_data.errors import CodecError

WAVELETS = ["10/18", "haar", "rbio1.3", "bior4.4", "db4", "bior2.2", "sym3"]


def noise(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(sum(shape)))


def packets_of_pywavelets(x: np.ndarray, wavelet: str, levels: int) -> np.ndarray:
    """`[f**dims, *space / f]` of one channel, by `pywt.dwtn` level by level, first axis most significant."""
    nodes = {("",) * x.ndim: x}
    for _ in range(levels):
        grown = {}
        for path, node in nodes.items():
            for name, child in pywt.dwtn(node, filter_bank(wavelet), mode="periodization").items():
                grown[tuple(p + n for p, n in zip(path, name, strict=True))] = child
        nodes = grown
    order = ["".join(bits) for bits in product("ad", repeat=levels)]
    return np.stack([nodes[path] for path in product(order, repeat=x.ndim)])


@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize(("levels", "size"), [(1, 2), (1, 6), (2, 4), (2, 20), (3, 8), (3, 64), (4, 48), (5, 32)])
def test_one_dimension_is_wavelet_packet(wavelet: str, levels: int, size: int) -> None:
    x = noise(1, 1, size)
    tree = pywt.WaveletPacket(x[0, 0].numpy(), filter_bank(wavelet), mode="periodization", maxlevel=levels)
    expected = np.stack([node.data for node in tree.get_level(levels, order="natural")])
    np.testing.assert_allclose(analyze(x, wavelet=wavelet, levels=levels)[0], expected, atol=1e-12)


@pytest.mark.parametrize("wavelet", ["10/18", "bior4.4", "db4"])
@pytest.mark.parametrize(("levels", "size"), [(1, (2, 6)), (2, (12, 4)), (3, (8, 24))])
def test_two_dimensions_are_wavelet_packet_2d(wavelet: str, levels: int, size: tuple[int, int]) -> None:
    x = noise(1, 1, *size)
    tree = pywt.WaveletPacket2D(x[0, 0].numpy(), filter_bank(wavelet), mode="periodization", maxlevel=levels)
    # PyWavelets names a step by its filters along (rows' axis, columns' axis): h is (d, a) there, v is (a, d).
    letters = {("a", "a"): "a", ("d", "a"): "h", ("a", "d"): "v", ("d", "d"): "d"}
    order = list(product("ad", repeat=levels))
    paths = [
        "".join(letters[pair] for pair in zip(down, across, strict=True)) for down, across in product(order, order)
    ]
    expected = np.stack([tree[path].data for path in paths])
    np.testing.assert_allclose(analyze(x, wavelet=wavelet, levels=levels)[0], expected, atol=1e-12)


@pytest.mark.parametrize("wavelet", ["10/18", "bior4.4"])
@pytest.mark.parametrize(("levels", "size"), [(1, (2, 4, 6)), (2, (8, 4, 12))])
def test_three_dimensions_are_the_separable_transform(wavelet: str, levels: int, size: tuple[int, ...]) -> None:
    x = noise(1, 1, *size)
    expected = packets_of_pywavelets(x[0, 0].numpy(), wavelet, levels)
    np.testing.assert_allclose(analyze(x, wavelet=wavelet, levels=levels)[0], expected, atol=1e-12)


def test_channels_and_batch_are_apart_and_subbands_numbered_colour_first() -> None:
    x = noise(2, 3, 8, 16)
    y = analyze(x, wavelet="10/18", levels=2)
    assert y.shape == (2, 48, 2, 4)
    for sample, colour in product(range(2), range(3)):
        alone = analyze(x[sample : sample + 1, colour : colour + 1], wavelet="10/18", levels=2)[0]
        torch.testing.assert_close(y[sample, 16 * colour : 16 * (colour + 1)], alone)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 5e-6), (torch.float64, 1e-13)])
@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize(("levels", "size"), [(1, (2,)), (3, (56,)), (2, (4, 12)), (4, (16, 32)), (2, (4, 8, 12))])
def test_perfect_reconstruction(
    wavelet: str, levels: int, size: tuple[int, ...], dtype: torch.dtype, tolerance: float
) -> None:
    x = noise(2, 2, *size, dtype=dtype)
    y = analyze(x, wavelet=wavelet, levels=levels)
    back = synthesize(y, wavelet=wavelet, levels=levels)
    assert y.dtype == back.dtype == dtype
    # The taps of these in PyWavelets reconstruct to no more than that.
    published = 1e-10 if wavelet in ("db4", "sym3", "bior4.4") else 0
    torch.testing.assert_close(back, x, atol=max(tolerance, published), rtol=0)


@pytest.mark.parametrize("wavelet", ["10/18", "haar", "rbio1.3", "bior3.5"])
@pytest.mark.parametrize(
    ("levels", "size"), [(1, (6,)), (3, (40,)), (2, (12, 8)), (4, (16, 48)), (1, (4, 2, 6)), (2, (4, 8, 4))]
)
def test_reversal_reverses_subbands_and_negates_the_odd(wavelet: str, levels: int, size: tuple[int, ...]) -> None:
    x = noise(1, 2, *size)
    y, odd = analyze(x, wavelet=wavelet, levels=levels), subband_parity(2, levels, len(size))
    assert odd.shape == (y.shape[1], len(size))
    for axis in range(len(size)):
        signs = (1 - 2 * odd[:, axis].double()).reshape(-1, *[1] * len(size))
        expected = y.flip(2 + axis) * signs
        torch.testing.assert_close(
            analyze(x.flip(2 + axis), wavelet=wavelet, levels=levels), expected, atol=1e-12, rtol=0
        )


@pytest.mark.parametrize("levels", [(2, 1, 3), (0, 2, 2), (1, 0, 0)])
def test_levels_of_each_axis_are_its_own(levels: tuple[int, int, int]) -> None:
    x = noise(2, 2, 4, 8, 16)
    y = analyze(x, wavelet="10/18", levels=levels)
    expected = x
    for axis, level in enumerate(levels):  # one after the other, each axis last in turn
        lines = expected.movedim(2 + axis, -1).flatten(0, -2)[:, None]
        lines = analyze(lines, wavelet="10/18", levels=level).flatten(1)
        expected = lines.reshape(*expected.movedim(2 + axis, -1).shape).movedim(-1, 2 + axis)
    a, b, c = (2**level for level in levels)
    expected = expected.reshape(2, 2, a, 4 // a, b, 8 // b, c, 16 // c).permute(0, 1, 2, 4, 6, 3, 5, 7)
    torch.testing.assert_close(y, expected.reshape(y.shape))
    torch.testing.assert_close(synthesize(y, wavelet="10/18", levels=levels), x)
    classes = parity_classes(2, levels, 3, wavelet="10/18")
    assert sorted(torch.cat([index for _, index in classes]).tolist()) == list(range(y.shape[1]))
    assert {len(index) for _, index in classes} == {y.shape[1] >> sum(level > 0 for level in levels)}


@pytest.mark.parametrize("shape", [(1, 1, 12), (1, 1, 0), (1, 1, 8, 9), (1, 8), (1, 1, 8, 8, 8, 8)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(CodecError, match="multiples of"):
        analyze(torch.zeros(shape), wavelet="10/18", levels=3)


def test_synthesis_refuses_a_number_of_subbands_that_is_no_multiple() -> None:
    with pytest.raises(CodecError, match="8"):
        synthesize(torch.zeros(1, 12, 4), wavelet="10/18", levels=3)


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 7])
def test_subbands_have_the_frequencies_of_pywavelets(levels: int) -> None:
    tree = pywt.WaveletPacket(np.zeros(256), "haar", mode="periodization", maxlevel=levels)
    nodes = [[node.path for node in tree.get_level(levels, order=order)] for order in ("natural", "freq")]
    expected = [(nodes[1].index(path) + 0.5) / 2**levels for path in nodes[0]]
    assert centre_frequencies(levels).tolist() == expected
