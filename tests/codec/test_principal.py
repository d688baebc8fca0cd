"""Many bands are rotated before covariances are formed: nothing but time and memory is lost by it."""

import math

import pytest
import torch
from torch import Tensor

from walloc_data.codec import Codec, CodecConfig, fit, principal
from walloc_data.codec.fit import subband_weights
from walloc_data.codec.principal import MANY_BANDS, principal_components

BANDS = 24


def cube(noise: float = 1e-3, bands: int = BANDS) -> Tensor:
    """Three smooth maps, each seen by all bands, and noise of each band's own: float32 `[1, bands, 40, 48]`."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.arange(40.0)[:, None], torch.arange(48.0)
    maps = torch.stack(
        [(rows / 7).sin() * (columns / 5).cos(), ((rows + columns) / 9).cos(), (columns / 3).sin().expand(40, 48)]
    )
    seen = torch.randn(bands, 3, generator=generator) @ maps.flatten(1) * 0.05 + 0.5
    own = torch.randn(bands, 40 * 48, generator=generator) * noise
    return (seen + own).clamp(0, 1).reshape(1, bands, 40, 48)


def config(bands: int = BANDS, **change: object) -> CodecConfig:
    settings = {"name": "t", "kind": "image", "signal_channels": bands, "dims": 2, "levels": 2, "wavelet": "10/18"}
    return CodecConfig(**(settings | change))


def error(codec: Codec, x: Tensor) -> float:
    return float((codec.decode(codec.encode(x), size=x.shape[2:]) - x).square().mean())


def sizes_of_eigenproblems(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    solve, sizes = torch.linalg.eigh, []
    monkeypatch.setattr(torch.linalg, "eigh", lambda matrix: sizes.append(len(matrix)) or solve(matrix))
    return sizes


def test_as_good_as_without_and_far_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    x, made, sizes = cube(), config(), sizes_of_eigenproblems(monkeypatch)
    rotated = fit([x], made, channels=12)
    largest = max(sizes)
    monkeypatch.setattr(principal, "MANY_BANDS", BANDS + 1)
    whole = fit([x], made, channels=12)
    assert largest < max(sizes) / 2
    assert rotated.steps.min().item() == pytest.approx(whole.steps.min().item(), rel=0.02)
    assert 10 * abs(math.log10(error(rotated, x) / error(whole, x))) < 0.1
    torch.testing.assert_close(rotated.mean, whole.mean)


@pytest.mark.parametrize("noise", [1e-4, 0.02])
@pytest.mark.parametrize("channels", [1, 12, 16 * BANDS])
def test_a_hundredth_more_is_left_out_at_most(channels: int, noise: float, monkeypatch: pytest.MonkeyPatch) -> None:
    x, made = [cube(noise)], config()
    weights = subband_weights(made, 0.0)
    mean, encoder, odd, held, total = principal_components(x, made, weights, channels)
    monkeypatch.setattr(principal, "MANY_BANDS", BANDS + 1)
    best_mean, best_encoder, best_odd, best, whole = principal_components(x, made, weights, channels)
    assert (encoder.shape, odd.shape) == (best_encoder.shape, best_odd.shape)
    torch.testing.assert_close(mean, best_mean)
    assert total == pytest.approx(whole, rel=1e-6)
    assert total - held <= 1.01 * (whole - best) + 1e-7 * total


def test_few_bands_go_the_way_they_went(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = sizes_of_eigenproblems(monkeypatch)
    fit([cube(bands=MANY_BANDS - 1)], config(MANY_BANDS - 1), channels=4)
    assert sizes == [4 * (MANY_BANDS - 1)] * 4
