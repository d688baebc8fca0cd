"""What `walloc info` says in the units of the signals."""

import re

import numpy as np
import pytest
import torch

from tests.report.given import dataset_of
from walloc_data import CodecConfig, fit
from walloc_data.report.info import describe_dataset


def line(folder, name):
    [found] = [line for line in describe_dataset(folder).splitlines() if line.startswith(name)]
    return found


def test_images_are_told_in_pixels(dataset):
    total = sum(path.stat().st_size for path in dataset.iterdir())
    pixels = 72 * 64 * 64
    said = re.fullmatch(
        r"images  (\S+) megapixels in all: (\S+) bits a pixel, (\S+) times less than 8 bits a value",
        line(dataset, "images"),
    )
    assert [float(number) for number in said.groups()] == [
        float(f"{number:{form}}")
        for number, form in ((pixels / 1e6, ".3g"), (8 * total / pixels, ".3g"), (3 * pixels / total, ".1f"))
    ]


def test_images_of_their_own_sizes_are_too(ragged_dataset):
    pixels = sum((40 + 3 * number) * (52 - number % 5) for number in range(12))
    assert line(ragged_dataset, "images").startswith(f"images  {pixels / 1e6:.3g} megapixels in all: ")


def test_clips_are_told_in_frames_and_arrays_in_values(tmp_path):
    rng = np.random.default_rng(0)
    for kind, dtype in (("video", torch.float32), ("array", torch.uint16), ("array", torch.float32)):
        x = torch.from_numpy(rng.uniform(0, 1, (3, 3, 8, 16, 12))).float()
        x = x if dtype == torch.float32 else (x * 4000).to(dtype)
        config = CodecConfig(name="t", kind=kind, signal_channels=3, dims=3, levels=1, wavelet="10/18")
        codec = fit([one[None] for one in x], config, channels=8)
        columns = {"rate": [5.0, 5.0, 10.0], "length": [8, 4, 6]}
        out = dataset_of(tmp_path / f"{kind}{dtype}", codec, dict(zip("abc", x, strict=True)), columns)
        total = sum(path.stat().st_size for path in out.iterdir())
        told = line(out, kind)
        numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", told.replace(",", ""))]
        if kind == "video":
            pixels, seconds = 18 * 16 * 12, 8 / 5 + 4 / 5 + 6 / 10
            assert numbers[:5] == [5, 10, 4, 8, 18]
            assert numbers[5:-1] == pytest.approx(
                [seconds / 60, 8 * total / seconds / 1000, 8 * total / pixels, 3 * pixels / total], rel=0.01, abs=0.05
            )
        else:
            values, raw = 3 * 3 * 8 * 16 * 12, 2 if dtype == torch.uint16 else 4
            assert told.endswith(str(dtype).removeprefix("torch."))
            assert numbers[:4] == pytest.approx(
                [3, values / 1e6, 8 * total / values, raw * values / total], rel=0.01, abs=0.05
            )
