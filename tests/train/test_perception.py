"""Errors weighted by how well the eye sees them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.sounds import sound
from tests.train.test_training import READER, SMALL
from walloc_data import Codec, load_codec
from walloc_data.codec.fit import subband_weights
from walloc_data.codec.packets import analyze
from walloc_data.errors import TrainError
from walloc_data.train import TrainOptions, train_codec
from walloc_data.train.model import Model, initial_tensors
from walloc_data.train.perception import contrast_sensitivity, perceptual_weights

PIXELS = 80.0


def test_the_curve_is_that_of_mannos_and_sakrison():
    for f in (8.0, 20.0, 28.0):
        expected = 2.6 * (0.0192 + 0.114 * f) * math.exp(-((0.114 * f) ** 1.1))
        assert float(contrast_sensitivity(torch.tensor(f, dtype=torch.float64))) == pytest.approx(expected, rel=1e-12)
    many = torch.linspace(0, 60, 6001, dtype=torch.float64)
    found = contrast_sensitivity(many)
    formula = 2.6 * (0.0192 + 0.114 * many) * (-((0.114 * many) ** 1.1)).exp()
    peak = int(formula.argmax())
    assert torch.allclose(found[peak:], formula[peak:], rtol=1e-6)
    assert torch.allclose(found[:peak], formula.max(), rtol=1e-6)  # and below it, it stays


def test_subbands_count_by_their_frequencies(codec):
    weights = perceptual_weights(codec.config, PIXELS).reshape(3, 8, 8)
    assert torch.equal(weights[0], weights[1])  # of all colours
    middles = [0.5 / 8, 7.5 / 8]  # of the lowest subband, and, by Gray code the fifth, of the highest
    for place, middle in ((0, middles[0]), (4, middles[1])):
        expected = contrast_sensitivity(torch.tensor(math.hypot(middle, middle) * PIXELS / 2))
        assert float(weights[0, place, place]) == pytest.approx(float(expected), rel=1e-6)
    assert torch.equal(perceptual_weights(codec.config, 1e-3), torch.full_like(weights.flatten(), weights.max()))


def test_they_go_with_emphasis(codec):
    options = TrainOptions(width=8, blocks=1, emphasis=0.5, perceptual=PIXELS)
    model = Model(codec, initial_tensors(codec, options, torch.ones(12)), codec.steps, options)
    ratio = model.weights.double() / (subband_weights(codec.config, 0.5) * perceptual_weights(codec.config, PIXELS))
    assert torch.allclose(ratio, ratio.mean(), rtol=1e-5)
    assert float(model.weights.norm()) == pytest.approx(float(subband_weights(codec.config, 0.0).norm()), rel=1e-5)


def seen(codec: Codec, photos: Path) -> float:
    """The squared error of photographs that are not trained on, weighted."""
    values = [READER.read(path.read_bytes(), path.name).values for path in sorted(photos.glob("val/*/*.jpg"))]
    signals = torch.from_numpy(np.stack(values)) / 255
    error = codec.decode(codec.encode(signals), signals.shape[2:]).float() - signals
    packets = analyze(error, wavelet=codec.config.wavelet, levels=codec.config.levels)
    weights = subband_weights(codec.config, 0.0) * perceptual_weights(codec.config, PIXELS)
    return float((packets.movedim(1, -1) * weights).square().mean())


def test_what_is_trained_with_them_errs_less_where_the_eye_sees_it(codec, photos, tmp_path):
    options = replace(SMALL, steps=40, width=16, batch=4)
    plain = train_codec(photos, tmp_path / "plain.safetensors", reader=READER, options=options)
    weighted = train_codec(
        photos, tmp_path / "weighted.safetensors", reader=READER, options=replace(options, perceptual=PIXELS)
    )
    assert seen(weighted.codec, photos) < seen(plain.codec, photos) < seen(codec, photos)


def test_earlier_checkpoints_are_of_the_same_training_as_long_as_it_is_left_out():
    assert "perceptual" not in TrainOptions().identity()
    assert TrainOptions(perceptual=PIXELS).identity()["perceptual"] == PIXELS


def test_a_checkpoint_with_them_is_not_gone_on_with_without_them(photos, tmp_path):
    out = tmp_path / "some.safetensors"
    train_codec(photos, out, reader=READER, options=replace(SMALL, minutes=1e-9, perceptual=PIXELS))
    with pytest.raises(TrainError, match=r"of another training \(perceptual 80.0 then, None now\)"):
        train_codec(photos, out, reader=READER, options=SMALL)


def test_it_is_of_images_alone(tmp_path):
    values = [sound(0.5, seed=seed) for seed in range(3)]
    options = replace(SMALL, perceptual=PIXELS)
    with pytest.raises(TrainError, match="perceptual is for codecs of images, which the eye sees: of kind 'audio'"):
        train_codec(values, tmp_path / "some.safetensors", codec=load_codec("mono-f128c32"), options=options)
    with pytest.raises(TrainError, match=r"perceptual=-1\.0 is not a number"):
        TrainOptions(perceptual=-1.0)
