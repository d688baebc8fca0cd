"""The task of scanned receipts, on pages drawn for it."""

import random
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from benchmarks.images import labels, paths, read_image
from benchmarks.tasks.receipts import Receipt, cut, draw_windows, read_receipts, receipts_task, split_receipts
from benchmarks.tasks.task import Arm
from benchmarks.tasks.training import train
from walloc_data import ImageReader
from walloc_data.errors import SourceError

_FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf"
_PAPER, _INK = (250, 250, 245), (10, 10, 40)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pages, of which no two are of one size: each line a name and an amount; and the first again."""
    folder = tmp_path_factory.mktemp("scans")
    for part in ("img", "box"):
        (folder / part).mkdir()
    for number in range(6):
        draw, size = random.Random(number), 20 + 8 * number
        page, lines = Image.new("RGB", (20 * size, 30 * size), _PAPER), []
        canvas, face = ImageDraw.Draw(page), ImageFont.truetype(_FONT, size)
        for line in range(12):
            for text, left in (("ITEM, RED", 2), (f"{draw.randint(0, 999)}.{line}{draw.randint(0, 9)}", 15)):
                at = (left * size, 2 * size * (line + 1))
                canvas.text(at, text, _INK, face)
                x0, y0, x1, y1 = (round(place) for place in canvas.textbbox(at, text, face))
                lines.append(f"{x0},{y0},{x1},{y0},{x1},{y1},{x0},{y1},{text}")
        for name in (number, *([6] if number == 0 else [])):
            page.save(folder / "img" / f"{name:03d}.jpg", quality=95)
            (folder / "box" / f"{name:03d}.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def window_of(receipt: Receipt, number: int) -> Image.Image:
    return cut(receipt.page(), receipt, number)


def test_digits_are_those_of_the_amounts(data: Path) -> None:
    receipts = read_receipts(data)
    assert [receipt.scan.stem for receipt in receipts] == [f"{number:03d}" for number in range(6)]
    for receipt in receipts:
        lines = (data / "box" / f"{receipt.scan.stem}.csv").read_text("utf-8").splitlines()
        amounts = "".join(line.split(",", 8)[8] for line in lines[1::2])
        assert "".join(digit.value for digit in receipt.digits) == amounts.replace(".", "")


def test_a_digit_is_at_the_middle_of_its_window_and_of_one_height_on_every_page(data: Path) -> None:
    for receipt in read_receipts(data):
        for number in range(0, len(receipt.digits), 7):
            window = np.asarray(window_of(receipt, number).convert("L"))
            rows, columns = np.nonzero(window[54:74, 61:67] < 128)
            assert window.shape == (128, 128)
            assert 9 <= np.ptp(rows) + 1 <= 15, (receipt.scan, number)
            assert abs(rows.mean() - 9.5) < 3
            assert len(set(columns)) >= 3


def test_what_is_beyond_a_page_is_white(data: Path) -> None:
    receipt = read_receipts(data)[0]
    rightmost = max(range(len(receipt.digits)), key=lambda number: receipt.digits[number].x)
    window = window_of(receipt, rightmost)
    assert window.getpixel((126, 2)) == (255, 255, 255)
    assert window.getpixel((64, 2)) != (255, 255, 255)


def test_no_receipt_is_in_both_splits(data: Path, tmp_path: Path) -> None:
    splits = split_receipts(read_receipts(data))
    assert {name: len(receipts) for name, receipts in splits.items()} == {"train": 5, "val": 1}
    task = receipts_task(data, tmp_path, quick=True)
    scans = {
        split: {Path(name).name.split("-")[0] for name in files.names} for split, files in task.source.splits.items()
    }
    assert scans == {split: {receipt.scan.stem for receipt in receipts} for split, receipts in splits.items()}


def test_a_window_is_named_after_its_digit_and_stored_as_it_was_cut(data: Path, tmp_path: Path) -> None:
    task = receipts_task(data, tmp_path, quick=True)
    windows = draw_windows(split_receipts(read_receipts(data))["val"], 64, "val")
    files, reader = task.source.splits["val"], ImageReader(size=task.size)
    assert len(files) == 64
    for path, label in zip(paths(files), labels(files), strict=True):
        _, place, order = path.stem.split("-")
        receipt, number, shift = windows[int(order)]
        assert number == int(place)
        assert task.source.class_names[label] == path.parent.name == receipt.digits[number].value
        pixels = torch.from_numpy(np.array(cut(receipt.page(), receipt, number, shift))).permute(2, 0, 1)
        assert torch.equal(read_image(path, reader), pixels)


def test_digits_are_drawn_as_often_as_one_another(data: Path) -> None:
    receipts = split_receipts(read_receipts(data))["train"]
    windows = draw_windows(receipts, 2000, "train")
    counts = np.bincount([int(receipt.digits[number].value) for receipt, number, _ in windows], minlength=10)
    assert (counts.min(), counts.max()) == (pytest.approx(200, abs=50), pytest.approx(200, abs=50))
    assert max(abs(off) for *_, shift in windows for off in shift) <= 1


def test_a_network_trains_on_windows(data: Path, tmp_path: Path) -> None:
    task = receipts_task(data, tmp_path, quick=True)
    run = train(task, Arm(name="latents", codec="rgb-f8c12", against=""), 0, tmp_path / "work")
    assert run.channels == 12


def test_a_folder_without_receipts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no receipts"):
        read_receipts(tmp_path)
