"""Pictures of signals that are neither photographs nor sound: false colours, slices, curves, clips."""

import builtins
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from tests.report.given import dataset_of
from walloc_data import CodecConfig, LatentDataset, fit
from walloc_data.cli import main
from walloc_data.errors import DatasetError
from walloc_data.report.curves import Curve, draw_curves
from walloc_data.report.false_colour import FalseColour, bands_of
from walloc_data.report.view import contact_sheet, small_picture

COUNT = 3


def smooth(channels: int, space: tuple[int, ...], seed: int) -> torch.Tensor:
    """Float32 `[channels, *space]` in [0, 1]."""
    x = np.random.default_rng(seed).normal(size=(channels, *space))
    for axis in range(1, 1 + len(space)):
        x = np.cumsum(x, axis)
    return torch.from_numpy((x - x.min()) / (x.max() - x.min())).float()


def dataset(out: Path, channels: int, space: tuple[int, ...], kind: str = "image", **columns: Any):
    """Samples of a codec fitted to themselves, and the signals by key."""
    signals = {f"s{number}": smooth(channels, space, number) for number in range(COUNT)}
    config = CodecConfig(name="t", kind=kind, signal_channels=channels, dims=len(space), levels=1, wavelet="10/18")
    codec = fit([x[None] for x in signals.values()], config, channels=channels * 2 ** len(space))
    dataset_of(out, codec, signals, columns)
    return LatentDataset(out, decode="signal"), signals


@pytest.mark.parametrize(
    ("channels", "space", "width"),
    [
        (12, (20, 24), 2 * (120 + 4) + 384 + 4),
        (2, (20, 24), 2 * (120 + 4) + 384 + 4),
        (2, (6, 20, 24), 4 * (120 + 2) + 384 + 4),
        (9, (6, 20, 24), None),
        (5, (2000,), 384 + 4),
        (1, (2000,), 384 + 4),
    ],
    ids=str,
)
def test_arrays_of_every_dimension_beside_their_originals(tmp_path, channels, space, width):
    samples, signals = dataset(tmp_path / "out", channels, space)
    sheet, shown = contact_sheet(samples, count=2, original_of=lambda fields: signals[fields["key"]])
    assert all(one.psnr > 30 and one.files == [] for one in shown)
    assert width in (None, sheet.width)
    alone, _ = contact_sheet(samples, count=2)
    assert alone.size <= sheet.size
    assert small_picture(tmp_path / "out")[:2] == b"\xff\xd8"


def test_bands_that_are_asked_for(tmp_path, capsys):
    dataset(tmp_path / "out", 5, (16, 16))
    pictures = set()
    for number, bands in enumerate(("0,2,4", "3", "components")):
        path = tmp_path / f"{number}.png"
        assert main(["view", str(tmp_path / "out"), str(path), "--bands", bands]) == 0
        with Image.open(path) as picture:
            pictures.add(picture.crop((0, 14, 128, 142)).tobytes())
    assert len(pictures) == 3
    capsys.readouterr()
    for bands in ("5", "1,2", "a,b,c", "-1", "", "1,,2"):
        assert main(["view", str(tmp_path / "out"), str(tmp_path / "a.png"), f"--bands={bands}"]) == 1
        assert "not one or three of the channels 0 to 4" in capsys.readouterr().err


def test_which_bands_are_colours():
    assert bands_of(224, None) == [186, 112, 37]
    assert bands_of(2, None) == bands_of(1, "components") == [0]
    assert bands_of(3, "components") is None
    with pytest.raises(DatasetError, match="channels 0 to 2"):
        bands_of(3, "3,1,0")


def test_a_flat_signal_and_one_in_large_units_have_colours():
    for bands in ([0, 1, 2], None):
        assert FalseColour(np.full((4, 8, 8), 7.0), bands).paint(np.full((4, 8, 8), 7.0)).getextrema() == ((0, 0),) * 3
    x = smooth(4, (16, 16), 0).numpy() * 1e6 - 3e5
    assert FalseColour(x, [2]).paint(x).getextrema() == ((0, 255),) * 3


def test_curves_of_any_length_lie_between_their_ends():
    for count in (1, 2, 50, 100_000):
        values = np.sin(np.arange(count))
        picture = draw_curves([Curve(values, values + 0.01), Curve(-values, None)], "positions")
        assert picture.size == (384, 140)
    red = np.asarray(draw_curves([Curve(np.linspace(0, 1, 100_000), None)], "positions"))[:128, 66:382]
    rows, columns = np.nonzero((red == (200, 40, 40)).all(-1))
    assert np.abs(rows - (126 - columns * 124 / 315)).max() <= 2


@pytest.mark.parametrize("channels", [1, 3])
def test_clips_are_strips_and_files_to_watch(tmp_path, channels):
    columns = {"rate": np.full(COUNT, 12.5), "start": np.arange(3.0), "length": np.full(COUNT, 8, np.int32)}
    samples, signals = dataset(tmp_path / "out", channels, (8, 19, 23), "video", **columns)
    sheet, shown = contact_sheet(samples, original_of=lambda fields: signals[fields["key"]], files=tmp_path / "files")
    assert sheet.size == (6 * (23 + 2) + 4, COUNT * (2 * (19 + 2) + 12 + 18))
    for one in shown:
        [path] = one.files
        with av.open(str(path)) as file:
            frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
            assert float(file.streams.video[0].average_rate) == 12.5
        assert (len(frames), frames[0].shape) == (8, (20, 46, 3))
        decoded = (signals[one.key].permute(1, 2, 3, 0) * 255).numpy()
        gray = np.stack(frames)[:, :19, :23].mean(-1) - decoded.mean(-1)
        assert np.abs(gray).mean() < 6


def test_rates_that_are_none(tmp_path):
    for number, rate in enumerate((float("nan"), float("inf"), -5.0, 0.0, 1e-9, 1e300, "x")):
        columns = {"rate": [rate] * COUNT, "start": [rate] * COUNT}
        samples, _ = dataset(tmp_path / str(number), 3, (8, 16, 16), "video", **columns)
        _, [shown, *_] = contact_sheet(samples, count=1, files=tmp_path / "files")
        assert shown.files[0].stat().st_size > 1000


def test_clips_without_the_library_for_files(tmp_path, monkeypatch, capsys):
    dataset(tmp_path / "out", 3, (8, 16, 16), "video")
    whole = builtins.__import__

    def without(name, *others):
        if name == "av":
            raise ImportError(name)
        return whole(name, *others)

    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["view", str(tmp_path / "out"), str(tmp_path / "a.png")]) == 0
    assert "MP4s are written with PyAV: pip install 'walloc-data[video]'" in capsys.readouterr().err
    assert (tmp_path / "a.png").stat().st_size > 100
