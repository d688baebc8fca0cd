"""Patches of circuit boards: what is cut, and that no board is both trained on and validated on."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks.tasks.arms import Arm
from benchmarks.tasks.defects import BOARD, KINDS, SIZE, Box, boards, cut, defects_task
from benchmarks.tasks.training import train
from walloc_data import ImageReader
from walloc_data.errors import SourceError


@st.composite
def boxes(draw: st.DrawFn) -> list[Box]:
    found = []
    for _ in range(draw(st.integers(0, 6))):
        left, top = (draw(st.integers(0, BOARD - 2)) for _ in range(2))
        right, bottom = (draw(st.integers(start + 1, min(BOARD, start + 100))) for start in (left, top))
        found.append(Box(left, top, right, bottom, draw(st.sampled_from(KINDS))))
    return found


@given(found=boxes(), seed=st.integers(0, 9))
def test_a_patch_holds_its_defect_whole_and_none_of_another_kind(found: list[Box], seed: int) -> None:
    for box, (left, top) in cut(found, random.Random(seed)):
        assert 0 <= left < box.left < box.right < left + SIZE <= BOARD
        assert 0 <= top < box.top < box.bottom < top + SIZE <= BOARD
        covered = np.zeros((BOARD, BOARD), bool)
        for other in found:
            if other.kind != box.kind:
                covered[other.top : other.bottom, other.left : other.right] = True
        assert not covered[top : top + SIZE, left : left + SIZE].any()


def write_boards(root: Path, count: int) -> Path:
    """Boards of one grey each, with one defect of each kind, far from one another."""
    (root / "group1" / "1").mkdir(parents=True)
    (root / "group1" / "1_not").mkdir()
    for board in range(count):
        Image.new("L", (640, 640), 5 * board).save(root / "group1" / "1" / f"{board:05d}_test.jpg", quality=95)
        lines = [
            f"{100 + 200 * (k % 3)} {150 + 300 * (k // 3)} {110 + 200 * (k % 3)} {170 + 300 * (k // 3)} {k + 1}"
            for k in range(len(KINDS))
        ]
        (root / "group1" / "1_not" / f"{board:05d}.txt").write_text("\n".join(lines) + "\n")
    return root


def test_boards_are_trained_on_or_validated_on(tmp_path: Path) -> None:
    data = write_boards(tmp_path / "boards", 40)
    assert {len(found) for found in boards(data).values()} == {6}
    task = defects_task(data, tmp_path / "work", quick=True)
    assert task.source.classes == sorted(KINDS)
    greys = {
        split: {int(ImageReader(size=SIZE).read(task.source.path(item)).pixels.mean()) for item in items}
        for split, items in task.source.splits.items()
    }
    assert len(greys["train"]) >= 8
    assert greys["val"]
    assert not greys["train"] & greys["val"]
    assert 0 <= train(task, Arm(name="JPEG", fold=2, quality=95), 0, work=tmp_path / "work").accuracy <= 1


def test_a_folder_without_boxes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="PCBData"):
        boards(tmp_path)
