"""Packets and linear encoder of one dimension, of any length and number of levels.

Many levels in one matrix would need long tiles, and level by level there is little work for each sample that is moved.
So few levels at a time are one small matrix, which meets overlapping windows of the signal. Subbands lie beside one
another, `[positions, subbands]`, so a window of all of them is a matrix where it lies, and nothing is moved between the
stages. What the last gives meets the linear encoder.

Where the wavelet has parity (`wavelets.has_parity`), the signal is first folded about its middle into an even part
`x + reverse(x)` and an odd part `x - reverse(x)`. Each is its own mirror image, and so are its subbands, so one half
says all. Reversing the signal leaves the even part as it is and negates the odd one. Both are exact in floating point,
so the latents of a reversed signal are the reversed latents to the last bit.
"""

from functools import lru_cache
from itertools import product

import torch
from torch import Tensor

from walloc_data.codec.packets import analyze, synthesize
from walloc_data.codec.wavelets import filter_bank, has_parity

__all__ = ["around", "encode_line", "merging", "synthesize_line"]

_STAGE = 2  # levels that are one matrix
_WINDOW = 16  # samples whose subbands one window gives
_AT_ONCE = 1 << 17  # samples, so that they stay in cache


def encode_line(x: Tensor, *, wavelet: str, levels: int, weight: Tensor | None, odd: Tensor) -> Tensor:
    """`weight @ analyze(x)` of signals `[B, C, n]`: `[B, c, n / f]`.

    `weight` is `[c, C * f]`, over all subbands, or None for the packets themselves; `odd` bool `[c]`, the channels that
    reversal negates.
    """
    (batch, signal_channels, size), folds = x.shape, has_parity(wavelet)
    blocks, stages = size >> levels, _stages(levels)
    wanted, once = -(-blocks // 2) if folds else blocks, max(1, _AT_ONCE // (signal_channels << levels))
    order = torch.arange(signal_channels << levels, device=x.device)
    order = order.reshape(signal_channels, *[1 << stage for stage in stages])
    order = order.permute(*range(len(stages), 1, -1), 0, 1).flatten()  # in which subbands come
    weight = None if weight is None else weight[:, order]
    y = x.new_empty(1 + folds, batch, len(odd), wanted)
    for place, start in product(range(batch), range(0, wanted, once)):
        count = min(once, wanted - start)
        before, length = _taken(stages, wavelet, count)
        first = (start << levels) - before
        part = around(x[place], first, length)
        if folds:
            back = around(x[place], size - first - length, length).flip(1)
            part = torch.cat([part + back, part - back])
        rows = part.T
        for stage in stages:
            rows = _split(rows, wavelet, stage)
        rows = rows[:count].reshape(count, -1, len(y), signal_channels << stages[0])
        for side in range(len(y)):
            packets = rows[:, :, side].reshape(count, -1).T
            packets = packets[torch.argsort(order)] if weight is None else weight @ packets
            y[side, place, :, start : start + count] = packets
    return _unfold(y.div_(2), odd, blocks) if folds else y[0]


def synthesize_line(y: Tensor, *, wavelet: str, levels: int) -> Tensor:
    """`packets.synthesize` of `[B, C * f, n / f]`: `[B, C, n]`."""
    batch, channels, _ = y.shape
    rows = y.flatten(0, 1)
    for stage in reversed(_stages(levels)):
        rows = _merge(rows.reshape(rows.shape[0] >> stage, 1 << stage, rows.shape[-1]), wavelet, stage)
    return rows.reshape(batch, channels >> levels, rows.shape[-1])


def _stages(levels: int) -> list[int]:
    """Levels of each matrix, by turns."""
    return [*[_STAGE] * (levels // _STAGE), *[1] * (levels % _STAGE)]


def _width(levels: int) -> int:
    """Positions whose subbands one window gives."""
    return _WINDOW >> levels


def around(x: Tensor, start: int, length: int, axis: int = -1) -> Tensor:
    """`length` entries of an axis that goes round, from `start` on."""
    size, pieces = x.shape[axis], []
    while length:
        start %= size
        pieces.append(x.narrow(axis, start, min(length, size - start)))
        start, length = 0, length - pieces[-1].shape[axis]
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, axis)


def _taken(stages: list[int], wavelet: str, wanted: int) -> tuple[int, int]:
    """Samples before the first position, and all that `wanted` positions take."""
    before, length = 0, wanted
    for stage in reversed(stages):
        reach, width = _reach(wavelet, 1 << stage), _width(stage)
        before, length = (before << stage) + reach, (-(-length // width) * width << stage) + 2 * reach
    return before, length


def _split(rows: Tensor, wavelet: str, levels: int) -> Tensor:
    """Rows `[n, R]` to the subbands at all positions that they say all of, `[positions, f * R]`."""
    size, (width, reach) = rows.shape[1], (_width(levels), _reach(wavelet, 1 << levels))
    matrix, hop = _analysis(width, wavelet, levels, rows.dtype, rows.device), width << levels
    windows = rows.unfold(0, hop + 2 * reach, hop)  # [count, R, samples]
    if rows.stride(0) == 1:  # of signals, whose samples lie side by side
        y = (windows.flatten(0, 1) @ matrix.T).reshape(-1, size, width, 1 << levels).transpose(1, 2)
    else:
        y = torch.bmm(matrix.expand(len(windows), -1, -1), windows.transpose(1, 2))
    return y.reshape(len(windows) * width, size << levels)


def _merge(subbands: Tensor, wavelet: str, levels: int) -> Tensor:
    """Subbands `[R, f, n]` to rows `[R, f * n]`."""
    rows, factor, size = subbands.shape
    width = _width(levels)
    count, halo = -(-size // width), -(-_reach(wavelet, factor) // factor)
    extended = around(subbands, -halo, count * width + 2 * halo)
    windows = extended.unfold(2, width + 2 * halo, width).transpose(1, 2)
    matrix = _synthesis(width, halo, wavelet, levels, subbands.dtype, subbands.device)
    step = max(1, _AT_ONCE // max(1, rows * len(matrix)))
    parts = [windows[:, start : start + step].flatten(2) @ matrix for start in range(0, count, step)]
    whole = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
    return whole.flatten(1)[:, : size * factor]


def _unfold(parts: Tensor, odd: Tensor, blocks: int) -> Tensor:
    """The first halves of what came of even and odd parts, `[2, B, c, ceil(n / 2)]`, to the whole `[B, c, n]`."""
    even, uneven = parts[0], parts[1]
    if blocks % 2:  # half of what is in the middle is 0 but for rounding, which no reversal would keep
        even[:, odd, -1], uneven[:, ~odd, -1] = 0, 0
    signs = (1 - 2 * odd.to(parts))[:, None]
    return torch.cat([even + uneven, ((even - uneven) * signs)[..., : blocks // 2].flip(-1)], -1)


def merging(
    wavelet: str, levels: int, dtype: torch.dtype, device: torch.device, samples: int = _WINDOW
) -> tuple[Tensor, int, int]:
    """The matrix `[f * positions, f * width]` from the subbands at some positions to the samples of the `width` in
    their middle; how many that are, and how many positions there are on each side of them."""
    width, halo = max(1, samples >> levels), -(-_reach(wavelet, 1 << levels) // (1 << levels))
    return _synthesis(width, halo, wavelet, levels, dtype, device), width, halo


def _reach(wavelet: str, factor: int) -> int:
    """Samples on each side of a block that its subbands depend on."""
    taps = int(filter_bank(wavelet).dec_len)
    return ((factor - 1) * (taps - 1) + 1 - factor) // 2


@lru_cache(maxsize=64)
def _analysis(width: int, wavelet: str, levels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Matrix `[width * f, samples]` from a window to the subbands at `width` positions in its middle."""
    factor = 1 << levels
    reach = _reach(wavelet, factor)
    halo = -(-reach // factor)
    spare = halo * factor - reach
    with torch.inference_mode(mode=False), torch.no_grad():  # it is kept, and gradients may pass it later
        signal = torch.eye((width + 2 * halo) * factor, dtype=torch.float64)[:, None]
        matrix = analyze(signal, wavelet=wavelet, levels=levels)[:, :, halo : halo + width].transpose(1, 2).flatten(1)
        return matrix[spare : len(matrix) - spare].T.to(device, dtype).contiguous()


@lru_cache(maxsize=64)
def _synthesis(width: int, halo: int, wavelet: str, levels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Matrix `[f * positions, f * width]` from the subbands of a window to the samples in its middle."""
    factor, positions = 1 << levels, width + 2 * halo
    with torch.inference_mode(mode=False), torch.no_grad():
        packets = torch.eye(factor * positions, dtype=torch.float64).reshape(-1, factor, positions)
        signal = synthesize(packets, wavelet=wavelet, levels=levels)[:, 0]
        return signal[:, halo * factor : (halo + width) * factor].to(device, dtype).contiguous()
