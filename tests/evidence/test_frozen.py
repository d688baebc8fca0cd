"""Frozen models on what is decoded: rates that are met, and how models are judged; the models themselves are apart."""

import numpy as np
import pytest
import torch

from benchmarks import frozen
from benchmarks.frozen_models import Model, notes_of, right_letters
from tests.photographs import window
from walloc_data import load_codec
from walloc_data.train.peers import image_peers

IMAGES = [
    torch.from_numpy(np.array(window("chelsea", number, (96, 64)))).permute(2, 0, 1).contiguous() for number in range(6)
]
JPEG = next(peer for peer in image_peers()[0] if peer.name == "JPEG")


@pytest.mark.parametrize(
    ("way", "rate"),
    [
        (frozen.codec_way(load_codec("rgb-f8c48")), 0.7),
        (frozen.format_way(JPEG), 1.5),
        (frozen.format_way(JPEG, 2), 1.2),
    ],
    ids=["codec", "JPEG", "smaller JPEG"],
)
def test_rates_are_met(way: frozen.Way, rate: float) -> None:
    decoded, bits, _ = frozen.nearest(way, IMAGES, rate)
    assert bits == pytest.approx(rate, rel=0.1)
    assert [x.shape for x in decoded] == [x.shape for x in IMAGES]
    assert max((x.float() - y.float()).abs().mean() for x, y in zip(decoded, IMAGES, strict=True)) < 20


def test_a_codec_is_shown_at_its_finest_where_that_takes_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "zoo_names", lambda: ["rgb-f8c12"])
    rows, runs = frozen.compared(IMAGES, Model("pixels that are light, %", lambda images: 50.0))
    [shown] = (row for row in rows if row[0] == "rgb-f8c12")
    assert shown[1] == "50.0"
    assert [cell.startswith("50.0 in ") for cell in shown[2:]] == [True, False]
    assert {run["name"] for run in runs} >= {"original", "rgb-f8c12", "JPEG", "WebP"}


def test_letters_are_counted_less_edits() -> None:
    assert right_letters("Total 12.50", "TOTAL 12.50") == 10
    assert right_letters("TOTA1 12.5", "TOTAL 12.50") == 8
    assert right_letters("something else", "12") == 0


def test_keys_sound_as_long_as_their_notes() -> None:
    sounding = notes_of([(0.5, 0.25, 60, 90), (0.5, 0.5, 64, 90)], 1.5)
    assert sounding.shape == (129, 88)
    assert (sounding[:, 39].sum(), sounding[:, 43].sum()) == (22, 43)
    assert (int(np.argmax(sounding[:, 39])), sounding.sum()) == (43, 65)
