"""Many bands: `python -m benchmarks.bands --data FOLDER`, which holds `hyperspectral/` and `landsat/`.

A hyperspectral cube (JasperRidge, 198 bands, 16 bits), of which one half fits the codec and the other is encoded, and
all of it fitted to itself; and four bands of Landsat over eight years, of which every other year and one half of the
place fit, and the other years and half are encoded. Each goes the way of any dataset: fitted, sharded, loaded. Beside
it JPEG 2000 of principal components, fitted to the same, at the same bytes, with as many components as serve it best.

PSNR is that of each band, its peak the span of what the band holds in the data of the fit: the mean over the bands,
and the worst; the results keep all. Bytes are those of the payloads; the codec itself, and the components of the peer,
count on neither side.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.io
import tifffile
import torch
from numpy.typing import NDArray

from benchmarks.jpeg2000 import PrincipalPlanes
from benchmarks.results import add_save, best_time, peak_memory, show
from walloc_data import LatentDataset, Options, fit, load_codec, save_codec, shard_dataset

HEAD = ("data", "codec", "ratio", "mean PSNR, dB", "worst band", "JPEG 2000 of PCA", "its worst", "components")
FIT_HEAD = ("data", "codec", "fit, s", "its peak, MB", "encode, million values/s", "decode")
Images = Sequence[NDArray[Any]]


class Case(NamedTuple):
    """What a codec is fitted to, what it is measured on, and of which shape it is."""

    name: str
    known: Images
    unknown: Images
    levels: int
    channels: int
    components: tuple[int, ...]


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Arrays of many bands, beside JPEG 2000 of principal components.")
    parser.add_argument("--data", type=Path, required=True, help="folder with hyperspectral/ and landsat/")
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[Sequence[Any]] = [HEAD]
    costs: list[Sequence[Any]] = [FIT_HEAD]
    of_bands: dict[str, str] = {}
    for case in (*_cubes(arguments.data / "hyperspectral"), *_scenes(arguments.data / "landsat")):
        with tempfile.TemporaryDirectory() as folder:
            row, cost, each = _measured(case, Path(folder))
        print(*row, *cost, flush=True)
        rows.append(row)
        of_bands[f"{row[0]}, {row[1]}"] = " ".join(f"{value:.1f}" for value in each)
        costs.append(cost)
    show("bands", rows, save=arguments.save, of_bands=of_bands)
    show("bands_costs", costs, save=arguments.save)


def _cubes(folder: Path) -> list[Case]:
    found = scipy.io.loadmat(str(next(folder.glob("*.mat"))))
    height, width = int(found["nRow"].item()), int(found["nCol"].item())
    cube = found["Y"].reshape(-1, width, height).transpose(0, 2, 1)  # pixels column by column
    half = height // 2
    parts, components = ([cube[:, :half]], [cube[:, half:]]), (3, 6, 10, 16)
    own = [
        Case("JasperRidge, itself", [cube], [cube], levels, channels, components)
        for levels, channels in ((3, 32), (2, 32))
    ]
    return [
        *own,
        *(
            Case("JasperRidge, held-out half", *parts, levels, channels, components)
            for levels, channels in ((3, 32), (2, 32))
        ),
    ]


def _scenes(folder: Path) -> list[Case]:
    years = [np.moveaxis(tifffile.imread(path), -1, 0) for path in sorted(folder.glob("*.tif"))]
    half = years[0].shape[2] // 2
    known = [year[:, :, :half] for year in years[::2]]
    unknown = [year[:, :, half:] for year in years[1::2]]
    return [
        Case("Landsat, held-out years and half", known, unknown, 3, channels, (2, 3, 4)) for channels in (16, 32, 64)
    ]


def _measured(case: Case, folder: Path) -> tuple[Sequence[Any], Sequence[Any], NDArray[np.float64]]:
    """Rows of both tables, and the PSNR of each band."""
    path, out = folder / "codec.safetensors", folder / "out"
    seconds, memory = _fitted_apart(case, path)
    codec = load_codec(path)
    result = shard_dataset([image.copy() for image in case.unknown], out, codec=codec, options=Options(shuffle=False))
    decoded = [np.asarray(x, np.float64) for x, *_ in LatentDataset(out, decode="signal")]
    values = sum(image.size for image in case.unknown)
    plain = sum(image.nbytes for image in case.unknown)
    ours = _psnr(decoded, case.unknown, codec.config.peaks)
    best: tuple[float, float, int] = (-np.inf, -np.inf, 0)
    for components in case.components:
        planes = PrincipalPlanes([image.astype(np.float64) for image in case.known], components)
        share = result.payload_bytes // len(case.unknown)
        backs = [planes.at_bytes(image.astype(np.float64), share)[0] for image in case.unknown]
        found = _psnr(backs, case.unknown, codec.config.peaks)
        best = max(best, (float(found.mean()), float(found.min()), components))
    x = [torch.from_numpy(image.copy())[None] for image in case.unknown]
    z = [codec.encode(one) for one in x]
    encoding = best_time(lambda: [codec.encode(one) for one in x], 3)
    decoding = best_time(lambda: [codec.decode(one) for one in z], 3)
    name = f"f{codec.factor}c{codec.channels}"
    row = (
        case.name,
        name,
        f"{plain / result.payload_bytes:.0f}",
        f"{ours.mean():.1f}",
        f"{ours.min():.1f}",
        f"{best[0]:.1f}",
        f"{best[1]:.1f}",
        best[2],
    )
    cost = (
        case.name,
        name,
        f"{seconds:.1f}",
        f"{memory:.0f}",
        f"{values / encoding / 1e6:.1f}",
        f"{values / decoding / 1e6:.1f}",
    )
    return row, cost, ours


def _psnr(decoded: Images, originals: Images, peaks: Sequence[float]) -> NDArray[np.float64]:
    """PSNR of each band over all images, in dB."""
    pairs = list(zip(decoded, originals, strict=True))
    errors = sum(((one - other.astype(np.float64)) ** 2).sum((1, 2)) for one, other in pairs)
    count = sum(one[0].size for one in decoded)
    return np.asarray(10 * np.log10(np.square(peaks) / np.maximum(errors / count, 1e-12)))


def _fitted_apart(case: Case, path: Path) -> tuple[float, float]:
    """Fit in a process of its own: seconds, and the MB that it took at most."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_fit, (case, path))


def _fit(case: Case, path: Path) -> tuple[float, float]:
    torch.set_num_threads(1)
    started = time.perf_counter()
    codec = fit([image.copy() for image in case.known], kind="array", channels=case.channels, levels=case.levels)
    seconds = time.perf_counter() - started
    save_codec(codec, path)
    return seconds, peak_memory()


if __name__ == "__main__":
    main()
