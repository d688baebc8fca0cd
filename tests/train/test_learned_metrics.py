"""LPIPS and DISTS: a sentence where their weights are not at hand, and their values where they are."""

import math
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests.synthetic import photograph
from walloc_data.cli import main
from walloc_data.errors import CodecError
from walloc_data.train.evaluate import evaluate_codec, rows_of
from walloc_data.train.learned_metrics import LEARNED_METRICS, learned_metrics

CHECKPOINTS = Path(torch.hub.get_dir(), "checkpoints")
VALUES = {"lpips": 0.3548, "dists": 0.3254}  # the first is also that of the package lpips 0.1.4


@pytest.mark.parametrize("name", LEARNED_METRICS)
def test_weights_that_are_not_at_hand_are_one_sentence(name, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert main(["eval", str(photos), "--metrics", name]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    if find_spec("torchvision") is None:
        assert f"{name} needs torchvision: pip install torchvision" in said
    else:
        assert f"{name} needs weights that are not downloaded unasked: save https://" in said
        assert str(tmp_path) in said
    assert not list(tmp_path.rglob("*.pth"))


def test_they_are_of_grey_or_rgb_images(tmp_path, capsys):
    assert main(["eval", str(tmp_path), "--codec", "mono-f128c32", "--metrics", "lpips"]) == 1
    assert "--metrics are of grey or RGB images, which mono-f128c32 is not for" in capsys.readouterr().err
    with pytest.raises(CodecError, match="no metric 'fid': there are lpips, dists"):
        learned_metrics("fid")


def test_images_are_judged_by_every_metric_given(codec):
    signals = [photograph("chelsea.png")[None, :, :64, :96]]
    metrics = {"dists": lambda decoded, original: float((decoded - original).abs().mean())}
    point = evaluate_codec(codec, signals, metrics=metrics)
    assert 0 < point.dists < 0.1
    head, row = rows_of([point])
    assert dict(zip(head, row, strict=True))["DISTS"] == f"{point.dists:.4f}"


@pytest.mark.skipif(
    find_spec("torchvision") is None or not any(CHECKPOINTS.glob("vgg16-*")) or not any(CHECKPOINTS.glob("alexnet-*")),
    reason="needs torchvision and its weights of AlexNet and VGG16",
)
def test_values_are_those_of_the_networks():
    x = photograph("chelsea.png")[:, :96, :128] / 255
    noisy = (x + 0.05 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    for name, metric in learned_metrics(*LEARNED_METRICS).items():
        assert metric(noisy, x) == pytest.approx(VALUES[name], abs=1e-3)
        assert metric(x, x) == pytest.approx(0, abs=1e-6)
        assert metric(noisy[:1], x[:1]) > 0
        assert math.isnan(metric(x[:, :31], x[:, :31]))
