"""The fast map and the fast synthesis are the definition, at every size, tiled or not."""

import numpy as np
import pytest
import torch

from walloc_data.codec import clip, clip_back, line
from walloc_data.codec.fused import TILE, decode_linear, encode_linear, synthesize_fast
from walloc_data.codec.packets import analyze, parity_classes, spread_rows, subband_parity, synthesize
from walloc_data.codec.wavelets import has_parity

SIZES = [
    (1, (2,)),
    (1, (6,)),
    (3, (8,)),
    (3, (TILE,)),
    (3, (TILE + 8,)),
    (3, (2 * TILE + 24,)),
    (4, (5 * TILE + 16,)),
    (5, (1504,)),
    (6, (1088,)),
    (2, (4, 12)),
    (3, (40, 24)),
    (3, (TILE + 40, 56)),
    (4, (48, 2 * TILE + 16)),
    (3, (TILE + 8, TILE + 16)),
    (1, (2, 6, 4)),
    (2, (12, 4, 20)),
    (1, (2, TILE + 2, 4)),
    (1, (TILE + 2, 4, 2)),
]


def noise(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(len(shape)))


def latent_parity(channels: int, dims: int) -> torch.Tensor:
    """Every class of parity, in an order in which no class stays together."""
    return torch.tensor([[bool(channel >> axis & 1) for axis in range(dims)] for channel in range(channels)])


def dense(weight: torch.Tensor, odd: torch.Tensor, wavelet: str, signal_channels: int, levels: int) -> torch.Tensor:
    """Rows over the subbands of one parity, spread over all of them."""
    if not has_parity(wavelet):
        return weight
    subbands = subband_parity(signal_channels, levels, odd.shape[1])
    rows = torch.zeros(len(weight), len(subbands), dtype=weight.dtype)
    for row, values, sides in zip(rows, weight, odd, strict=True):
        row[(subbands == sides).all(1)] = values
    return rows


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 2e-5)])
@pytest.mark.parametrize("wavelet", ["10/18", "rbio1.3", "bior4.4", "db4"])
@pytest.mark.parametrize(("levels", "size"), SIZES)
def test_both_directions_are_the_definition(
    wavelet: str, levels: int, size: tuple[int, ...], dtype: torch.dtype, tolerance: float
) -> None:
    dims, channels, signal_channels = len(size), 5, 1 if max(size) > 500 else 2
    x, odd = noise(2, signal_channels, *size, dtype=dtype), latent_parity(channels, dims)
    y = analyze(x, wavelet=wavelet, levels=levels)
    fast = encode_linear(x, wavelet=wavelet, levels=levels, weight=None, odd=odd)
    assert fast.dtype == dtype
    torch.testing.assert_close(fast, y, atol=tolerance, rtol=0)

    weight = noise(channels, y.shape[1] // (2**dims if has_parity(wavelet) else 1), dtype=dtype) / y.shape[1] ** 0.5
    mixed = encode_linear(x, wavelet=wavelet, levels=levels, weight=weight, odd=odd)
    matrix = dense(weight, odd, wavelet, signal_channels, levels)
    torch.testing.assert_close(mixed, torch.einsum("cs,bs...->bc...", matrix, y), atol=tolerance, rtol=0)

    back = synthesize_fast(y, wavelet=wavelet, levels=levels)
    assert back.dtype == dtype
    torch.testing.assert_close(back, synthesize(y, wavelet=wavelet, levels=levels), atol=tolerance, rtol=0)


@pytest.mark.parametrize(
    ("levels", "size"),
    [(3, (56,)), (3, (2 * TILE,)), (3, (40, 2 * TILE)), (4, (48, 80)), (1, (2, 6, 4)), (2, (12, 20, 44))],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_reversal_is_exact_to_the_last_bit_where_tiles_cut_evenly(
    levels: int, size: tuple[int, ...], dtype: torch.dtype
) -> None:
    dims = len(size)
    odd = latent_parity(7, dims)
    weight = noise(7, 2 * 2 ** (levels * dims - dims), dtype=dtype)
    x = noise(2, 2, *size, dtype=dtype)
    y = encode_linear(x, wavelet="10/18", levels=levels, weight=weight, odd=odd)
    for axis in range(dims):
        signs = (1 - 2 * odd[:, axis].to(dtype)).reshape(-1, *[1] * dims)
        reversed_ = encode_linear(x.flip(2 + axis), wavelet="10/18", levels=levels, weight=weight, odd=odd)
        assert torch.equal(reversed_, y.flip(2 + axis) * signs)


@pytest.mark.parametrize("wavelet", ["10/18", "bior4.4"])
@pytest.mark.parametrize(
    ("levels", "size"),
    [
        ((2, 3), (12, 40)),
        ((0, 2), (5, 12)),
        ((1, 0, 3), (6, 3, TILE + 8)),
        ((2, 0, 0), (8, 3, 1)),
        ((1, 2, 2), (4, 8, 12)),
        ((1, 6), (2, 1088)),
        ((2, 2, 1), (12, 36, 10)),
        ((1, 2, 3), (2, 8, 136)),
    ],
)
def test_levels_of_each_axis(wavelet: str, levels: tuple[int, ...], size: tuple[int, ...]) -> None:
    x = noise(2, 2, *size, dtype=torch.float64)
    y = analyze(x, wavelet=wavelet, levels=levels)
    odd = latent_parity(5, len(size)) & (torch.tensor(levels) > 0)
    halved = sum(level > 0 for level in levels) if has_parity(wavelet) else 0
    weight = noise(5, y.shape[1] >> halved, dtype=torch.float64)
    mixed = encode_linear(x, wavelet=wavelet, levels=levels, weight=weight, odd=odd)
    matrix = spread_rows(weight, odd, 2, levels, wavelet=wavelet) if has_parity(wavelet) else weight
    torch.testing.assert_close(mixed, torch.einsum("cs,bs...->bc...", matrix, y))
    torch.testing.assert_close(synthesize_fast(y, wavelet=wavelet, levels=levels), x)
    packets = encode_linear(x, wavelet=wavelet, levels=levels, weight=None, odd=odd)
    torch.testing.assert_close(packets, y)
    for axis in range(len(size) if has_parity(wavelet) else 0):
        signs = (1 - 2 * odd[:, axis].double()).reshape(-1, *[1] * len(size))
        turned = encode_linear(x.flip(2 + axis), wavelet=wavelet, levels=levels, weight=weight, odd=odd)
        assert max(size) > TILE or torch.equal(turned, mixed.flip(2 + axis) * signs)


@pytest.mark.parametrize("size", [(256,), (256 * 7,), (256 * 10,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_sound_reversal_is_exact_to_the_last_bit_wherever_it_is_cut(
    size: tuple[int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "_AT_ONCE", 2 * 512)  # two positions at a time
    odd, weight, x = latent_parity(7, 1), noise(7, 256, dtype=dtype), noise(2, 2, *size, dtype=dtype)
    y = encode_linear(x, wavelet="10/18", levels=8, weight=weight, odd=odd)
    turned = encode_linear(x.flip(2), wavelet="10/18", levels=8, weight=weight, odd=odd)
    assert torch.equal(turned, y.flip(2) * (1 - 2 * odd.to(dtype)))
    expected = spread_rows(weight, odd, 2, 8, wavelet="10/18") @ analyze(x, wavelet="10/18", levels=8)
    torch.testing.assert_close(y, expected, atol=1e-3 if dtype == torch.float32 else 1e-11, rtol=0)


@pytest.mark.parametrize("at_once", [1, 600, 1 << 19])
@pytest.mark.parametrize(
    ("levels", "size"), [((2, 2, 3), (12, 44, 104)), ((1, 3, 1), (6, 16, 70)), ((2, 1, 4), (4, 6, 48))]
)
def test_clips_of_whole_numbers_go_in_parts(
    levels: tuple[int, int, int], size: tuple[int, int, int], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.from_numpy(np.random.default_rng(3).integers(0, 256, (2, 3, *size), dtype=np.uint8))
    odd, inputs = latent_parity(9, 3), 3 << sum(levels) >> 3
    mean, weight = noise(3, 1, 1, 1, dtype=torch.float64), noise(9, inputs, dtype=torch.float64)
    gain = noise(3, 1, 1, 1, dtype=torch.float64).exp() / 100

    def begin(x: torch.Tensor) -> torch.Tensor:
        return x.double() * gain - mean

    def encoded(x: torch.Tensor) -> torch.Tensor:
        return encode_linear(x, wavelet="10/18", levels=levels, weight=weight, odd=odd, begin=begin)

    packets = analyze(begin(x), wavelet="10/18", levels=levels)
    matrix = spread_rows(weight, odd, 3, levels, wavelet="10/18")
    monkeypatch.setattr(clip, "_AT_ONCE", at_once)
    y = encoded(x)
    torch.testing.assert_close(y, torch.einsum("cs,bs...->bc...", matrix, packets))
    for axis in range(3):
        signs = (1 - 2 * odd[:, axis].double()).reshape(-1, 1, 1, 1)
        assert torch.equal(encoded(x.flip(2 + axis)), y.flip(2 + axis) * signs)


def test_gradients_reach_the_encoder_and_what_is_decoded() -> None:
    weight, odd = noise(2, 4, dtype=torch.float64).requires_grad_(), latent_parity(2, 1)
    x = noise(1, 1, 24, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda w: encode_linear(x, wavelet="10/18", levels=3, weight=w, odd=odd), weight)
    clip, odd = noise(1, 1, 4, 4, 6, dtype=torch.float64), latent_parity(2, 3)
    few = noise(2, 1, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: encode_linear(clip, wavelet="10/18", levels=1, weight=w, odd=odd), few)
    y = analyze(clip, wavelet="10/18", levels=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: synthesize_fast(y, wavelet="10/18", levels=1), y)
    y = analyze(x, wavelet="10/18", levels=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: synthesize_fast(y, wavelet="10/18", levels=3), y)


@pytest.mark.parametrize("wavelet", ["10/18", "bior4.4"])
@pytest.mark.parametrize(("levels", "size"), [((2, 2, 2), (3, 5, 7)), ((1, 2, 3), (4, 9, 2)), ((2, 0, 1), (2, 3, 4))])
def test_latents_of_clips_are_decoded_as_their_packets_are(
    wavelet: str, levels: tuple[int, ...], size: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, odd = noise(4, 2 << sum(levels), dtype=torch.float64), latent_parity(4, 3) & (torch.tensor(levels) > 0)
    if has_parity(wavelet):
        halved = rows[:, : rows.shape[1] >> sum(level > 0 for level in levels)]
        rows = spread_rows(halved, odd, 2, levels, wavelet=wavelet)
    z = noise(2, 4, *size, dtype=torch.float64)
    for matrix in (rows.T, torch.zeros_like(rows.T)):
        y = (matrix @ z.flatten(2)).reshape(2, -1, *size)
        expected = synthesize(y, wavelet=wavelet, levels=levels).clamp(-0.5, 0.5)
        for at_once in (1, 3 << 10, 1 << 18):  # a frame or a few at a time, or all
            monkeypatch.setattr(clip_back, "_AT_ONCE", at_once)
            x = decode_linear(z, matrix, None, wavelet, levels, finish=lambda x: x.clamp_(-0.5, 0.5))
            torch.testing.assert_close(x, expected)
            added = decode_linear(z, matrix, y, wavelet, levels, finish=lambda x: x.div_(2).clamp_(-0.5, 0.5))
            torch.testing.assert_close(added, expected)
    few = z[:1, :, :1, :1, :2].clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: decode_linear(z, rows.T, None, wavelet, levels, finish=lambda x: x.mul_(2)), few
    )


def test_channels_of_one_parity_alone() -> None:
    x, odd = noise(1, 1, 8, 4, 12, dtype=torch.float64), torch.tensor([[True, False, True]] * 3)
    weight = noise(3, 8, dtype=torch.float64)
    rows = spread_rows(weight, odd, 1, 2, wavelet="10/18")
    expected = torch.einsum("cs,bs...->bc...", rows, analyze(x, wavelet="10/18", levels=2))
    torch.testing.assert_close(encode_linear(x, wavelet="10/18", levels=2, weight=weight, odd=odd), expected)
    x, odd = noise(1, 1, 24, 16, dtype=torch.float64), torch.tensor([[True, False]] * 3)
    weight = noise(3, 16, dtype=torch.float64)
    expected = torch.einsum("cs,bs...->bc...", dense(weight, odd, "10/18", 1, 3), analyze(x, wavelet="10/18", levels=3))
    torch.testing.assert_close(encode_linear(x, wavelet="10/18", levels=3, weight=weight, odd=odd), expected)


def test_an_empty_batch_goes_both_ways() -> None:
    x = torch.zeros(0, 2, 16, 8)
    y = encode_linear(x, wavelet="10/18", levels=2, weight=None, odd=latent_parity(1, 2))
    assert y.shape == (0, 32, 4, 2)
    assert synthesize_fast(y, wavelet="10/18", levels=2).shape == x.shape


def test_a_view_is_read_as_its_copy() -> None:
    x = noise(1, 2, 30, 48, dtype=torch.float32)
    view = x[:, :, 3:27].transpose(2, 3)
    odd = latent_parity(1, 2)
    encoded = encode_linear(view, wavelet="10/18", levels=3, weight=None, odd=odd)
    assert torch.equal(encoded, encode_linear(view.contiguous(), wavelet="10/18", levels=3, weight=None, odd=odd))


@pytest.mark.parametrize("wavelet", ["10/18", "bior4.4"])
def test_many_levels_of_a_long_axis_give_the_same(wavelet: str) -> None:
    x = torch.randn(1, 1, 128 * 96, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    packets = analyze(x, wavelet=wavelet, levels=7)
    classes = parity_classes(1, 7, 1, wavelet=wavelet)
    odd = torch.tensor([sides for sides, _ in classes] * 2)
    weight = torch.randn(len(odd), len(classes[0][1]), dtype=torch.float64)
    expected = torch.stack(
        [(row[:, None] * packets[0, classes[i % len(classes)][1]]).sum(0) for i, row in enumerate(weight)]
    )
    mixed = encode_linear(x, wavelet=wavelet, levels=7, weight=weight, odd=odd)
    torch.testing.assert_close(mixed[0], expected)
    torch.testing.assert_close(synthesize_fast(packets, wavelet=wavelet, levels=7), x)


@pytest.mark.parametrize("size", [(176, 184), (256, 520), (232, 64)])
def test_what_is_decoded_is_contiguous_and_gradients_pass_its_tiles(size):
    draw = torch.Generator().manual_seed(0)
    y = torch.randn(1, 128, *(n // 8 for n in size), generator=draw, dtype=torch.float64).requires_grad_()
    found = []
    for way in (synthesize_fast, synthesize):
        x = way(y, wavelet="10/18", levels=3)
        [gradient] = torch.autograd.grad((x * x.detach().roll(1, -1)).sum(), y)
        found.append((x, gradient))
        assert way is synthesize or x.is_contiguous()
    torch.testing.assert_close(*found)
    assert synthesize_fast(y[:0], wavelet="10/18", levels=3).shape == (0, 2, *size)
