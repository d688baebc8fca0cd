"""Every task of benchmarks/tasks, small: of patches that it renders, photographs, pages, chirps and tones."""

import random
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from benchmarks.tasks.colour import ColourTask, read_squares
from benchmarks.tasks.digits import DigitsTask
from benchmarks.tasks.fonts import font, fonts_task, tokens_task
from benchmarks.tasks.photographs import photographs_task
from benchmarks.tasks.receipts import receipts_task
from benchmarks.tasks.separation import Separation, mix
from benchmarks.tasks.songs import LENGTH, RATE
from benchmarks.tasks.task import Task
from tests.photographs import write_folder
from tests.sounds import sound, write


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pages, of which no two are of one size: each line a name and an amount; and the first again."""
    folder = tmp_path_factory.mktemp("scans")
    for part in ("img", "box"):
        (folder / part).mkdir()
    for place, number in enumerate((*range(6), 0)):
        draw, size = random.Random(number), 20 + 8 * number
        page, lines = Image.new("RGB", (20 * size, 30 * size), (250, 250, 245)), []
        canvas, face = ImageDraw.Draw(page), font("DejaVuSansMono", size)
        for line in range(12):
            for text, left in (("ITEM, RED", 2), (f"{draw.randint(0, 999)}.{line}{draw.randint(0, 9)}", 15)):
                at = (left * size, 2 * size * (line + 1))
                canvas.text(at, text, (10, 10, 40), face)
                x0, y0, x1, y1 = (round(place) for place in canvas.textbbox(at, text, face))
                lines.append(f"{x0},{y0},{x1},{y0},{x1},{y1},{x0},{y1},{text}")
        page.save(folder / "img" / f"{place:03d}.jpg", quality=95)
        (folder / "box" / f"{place:03d}.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="session")
def tasks(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Task]:
    work = tmp_path_factory.mktemp("tasks")
    photographs = write_folder(work / "photographs", count=26)
    for digit in range(2):
        for take in range(40):
            chirp = sound(0.2 + 0.01 * take, 8000, seed=take)[:, :: 1 + digit]
            write(work / "digits" / f"{digit}_{'ab'[take % 2]}_{take}.wav", chirp, 8000)
    time, noise = torch.arange(LENGTH) / RATE, torch.randn(12, LENGTH, generator=torch.Generator().manual_seed(0))
    tones = torch.stack([torch.sin(2 * torch.pi * (300 + 50 * song) * time) for song in range(12)])
    stems = torch.stack([noise * torch.exp(-8 * (time % 0.5)), tones], 1)
    songs = (mix(stems, torch.zeros(12, 2))[:, :2] * 32767).round().to(torch.int16)
    squares = read_squares([photographs / "val"]).repeat(2, 1, 1, 1)
    found = {
        "colour": ColourTask(squares, squares),
        "digits": DigitsTask(work / "digits"),
        "fonts": fonts_task(work, 128, 64),
        "photographs": photographs_task(photographs / "train", 22, 4),
        "receipts": receipts_task(scans, work, 128, 64),
        "separation": Separation("drums", {"train": songs[:8], "val": songs[8:]}),
        "tokens": tokens_task(work, train=128, val=64),
    }
    for task in found.values():
        task.epochs = 1
    return found
