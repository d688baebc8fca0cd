"""What codecs, formats and folders of decoded files are worth on given signals: rate, distortion, speed."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from walloc_data.codec import Codec, CodecConfig, one_thread, psnr
from walloc_data.entropy import coder_class
from walloc_data.errors import CodecError, SampleError
from walloc_data.signals import Reader
from walloc_data.train.learned_metrics import LEARNED_METRICS, Metrics
from walloc_data.train.peers import Peer
from walloc_data.train.similarity import ms_ssim, si_sdr, ssim

__all__ = ["Point", "evaluate_codec", "evaluate_folder", "evaluate_peer", "gain", "psnr_at", "rows_of"]

_FITTED = 128  # signals that a coder's tables are fitted to


@dataclass(frozen=True, kw_only=True)
class Point:
    """One setting of one codec: means over signals.

    `bits` are of payloads or files, a pixel (a sample of all channels); `psnr` in dB; `ssim` and `ms_ssim` of images
    (those of channels, in RGB), `lpips` and `dists` where asked for, `si_sdr` of sound in dB; millions of pixels a
    second of `encode` (to bytes) and `decode`. NaN says that something was not measured.
    """

    name: str
    setting: str
    signals: int
    bits: float
    psnr: float
    ssim: float = math.nan
    ms_ssim: float = math.nan
    lpips: float = math.nan
    dists: float = math.nan
    si_sdr: float = math.nan
    encode: float = math.nan
    decode: float = math.nan


@one_thread()
def evaluate_codec(
    codec: Codec, signals: Sequence[Tensor], coder: str = "rans", *, metrics: Metrics | None = None
) -> Point:
    """Of signals `[1, C, *space]`, with a coder whose tables are fitted to some of them, as those of a dataset are;
    images also by `metrics`."""
    latents = [codec.encode(signal)[0].numpy() for signal in signals[:: -(-len(signals) // _FITTED)]]
    tables = coder_class(coder).fit(latents)
    tables.warm_up()
    for signal in {signal.shape: signal for signal in signals}.values():
        codec.decode(codec.encode(signal))  # what is prepared once, or once a shape, does not count
    meter = _Meter(codec.config, metrics)
    for signal in signals:
        started = time.perf_counter()
        payload = tables.encode(codec.encode(signal).numpy())[0]
        between = time.perf_counter()
        z = np.empty((1, *codec.latent_shape(signal.shape[2:])), np.int8)
        tables.decode(payload, np.array([[0, len(payload)]], np.uint64), z)
        decoded = codec.decode(torch.from_numpy(z), signal.shape[2:])[0]
        meter.add(signal[0], decoded, len(payload), between - started, time.perf_counter() - between)
    return meter.point(codec.name, coder)


def evaluate_peer(
    peer: Peer,
    quality: float,
    config: CodecConfig,
    signals: Sequence[Tensor],
    rates: Sequence[int],
    *,
    metrics: Metrics | None = None,
) -> Point:
    """The same of another format: of images of uint8, or of sound of so many samples a second each."""
    meter = _Meter(config, metrics)
    for signal, rate in zip(signals, rates, strict=True):
        values = config.to_float(signal) if config.kind == "audio" else signal
        plain = np.ascontiguousarray(values[0].movedim(0, -1).numpy())
        started = time.perf_counter()
        data = peer.encode(plain, quality, rate)
        between = time.perf_counter()
        found = peer.decode(data, rate)
        seconds = time.perf_counter() - between
        decoded = np.zeros_like(plain)  # of which a format may give less, or more
        decoded[: len(found)] = found[: len(plain)]
        meter.add(signal[0], _floats(decoded, config), len(data), between - started, seconds)
    return meter.point(peer.name, f"{quality:g}")


def evaluate_folder(
    folder: Path,
    names: Sequence[str],
    reader: Reader,
    config: CodecConfig,
    signals: Sequence[Tensor],
    *,
    metrics: Metrics | None = None,
) -> Point:
    """The same of files in a folder that something else has decoded (or of its own, compressed): one for each signal,
    of its name with any suffix. Raises `CodecError` where one is missing, cannot be read or has another size."""
    if not folder.is_dir():
        raise CodecError(f"{folder} is no folder of decoded files")
    meter = _Meter(config, metrics)
    for name, signal in zip(names, signals, strict=True):
        found = sorted(path for path in (folder / name).parent.glob(f"{escape(Path(name).stem)}.*") if path.is_file())
        if len(found) != 1:
            raise CodecError(
                f"{folder} has {len(found)} files {Path(name).with_suffix('.*')}: there is to be one for each sample"
            )
        data = found[0].read_bytes()
        try:
            values = torch.from_numpy(reader.read(data, str(found[0])).values)
        except SampleError as error:
            raise CodecError(str(error)) from error
        if values.shape != signal[0].shape:
            raise CodecError(f"{found[0]} is {list(values.shape)}, and the original {list(signal[0].shape)}")
        decoded = config.in_units(config.to_float(values[None]))[0]
        meter.add(signal[0], decoded, len(data), math.nan, math.nan)
    return meter.point(folder.name, "files")


def gain(points: Sequence[Point], others: Sequence[Point]) -> float:
    """How many dB of PSNR the first curve is above the second, at equal bits: the mean where both have points.

    NaN where they have no rates in common.
    """
    low = max(min(point.bits for point in each) for each in (points, others))
    high = min(max(point.bits for point in each) for each in (points, others))
    if not low < high:
        return math.nan
    bits = np.geomspace(low, high, 33).clip(low, high)  # which rounding left
    return float(np.mean(psnr_at(points, bits) - psnr_at(others, bits)))


def psnr_at(points: Sequence[Point], bits: ArrayLike) -> NDArray[np.float64]:
    """PSNR in dB of a curve, straight between its points over the logarithm of bits; beyond them NaN."""
    ordered = sorted(points, key=lambda point: point.bits)
    known = np.log([point.bits for point in ordered])
    ratios = [point.psnr for point in ordered]
    found: NDArray[np.float64] = np.interp(np.log(bits), known, ratios, left=math.nan, right=math.nan)
    return found


def _floats(values: NDArray[Any], config: CodecConfig) -> Tensor:
    return config.to_float(torch.from_numpy(values).movedim(-1, 0)[None])[0]


class _Meter:
    """Figures of signals, and what their making took."""

    def __init__(self, config: CodecConfig, metrics: Metrics | None) -> None:
        self._config, self._metrics = config, metrics or {}
        self._figures, self._costs = list[dict[str, float]](), list[tuple[float, float, float]]()

    def add(self, signal: Tensor, decoded: Tensor, size: int, encoding: float, decoding: float) -> None:
        config = self._config
        original = config.in_units(config.to_float(signal[None]))[0]
        pixels = math.prod(signal.shape[1:])
        figures = {"bits": 8 * size / pixels, "psnr": psnr(decoded, original, config.kind, peaks=config.peaks)}
        if config.kind == "image" and config.dims == 2:
            figures |= {"ssim": ssim(decoded, original), "ms_ssim": ms_ssim(decoded, original)}
            figures |= {name: metric(decoded, original) for name, metric in self._metrics.items()}
        elif config.kind == "audio":
            figures["si_sdr"] = si_sdr(decoded, original)
        self._figures.append(figures)
        self._costs.append((pixels / 1e6, encoding, decoding))

    def point(self, name: str, setting: str) -> Point:
        means = {key: float(np.mean([figures[key] for figures in self._figures])) for key in self._figures[0]}
        pixels, encoding, decoding = (sum(column) for column in zip(*self._costs, strict=True))
        speeds = {"encode": pixels / encoding, "decode": pixels / decoding}
        return Point(name=name, setting=setting, signals=len(self._figures), **means, **speeds)


def rows_of(points: Sequence[Point], of: str = "pixel") -> Iterator[list[str]]:
    """A table of points, the first row its head; columns of what was not measured are left out. A place of signals is
    called `of`."""
    names = ["bits", "psnr", "ssim", "ms_ssim", *LEARNED_METRICS, "si_sdr", "encode", "decode"]
    kept = [name for name in names if any(not math.isnan(getattr(point, name)) for point in points)]
    heads = {"bits": f"bits a {of}", "psnr": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM", "si_sdr": "SI-SDR"}
    heads |= {name: name.upper() for name in LEARNED_METRICS}
    heads |= {"encode": f"encode, M{of}/s", "decode": f"decode, M{of}/s"}
    digits = {"psnr": 2, "si_sdr": 2, "encode": 1, "decode": 1}
    yield ["codec", "setting", *(heads[name] for name in kept)]
    for point in points:
        numbers = [f"{getattr(point, name):.{digits.get(name, 4)}f}" for name in kept]
        yield [point.name, point.setting, *numbers]
