"""Training: it gains, keeps flips exact, goes on where it was stopped, and takes signals of any dimension."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from tests.sounds import sound
from tests.synthetic import photograph
from walloc_data import Codec, CodecConfig, ImageReader, fit, load_codec
from walloc_data.signals import Signal
from walloc_data.train import TrainOptions, train_codec
from walloc_data.train.model import Model, initial_tensors
from walloc_data.train.optimiser import Optimiser
from walloc_data.transforms import flip

SMALL = TrainOptions(steps=30, batch=2, width=8, blocks=1, kernel=3, checkpoint_steps=10, precision="float32")
READER = ImageReader(resize="none", crop="none")


def losses(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.with_suffix(".jsonl").read_text().splitlines()]


@pytest.fixture(scope="module", params=[0, 1], ids=["conv", "refine"])
def learned(request, photos, tmp_path_factory) -> tuple[Path, Any]:
    """An encoder and a decoder that know the few photographs well."""
    out = tmp_path_factory.mktemp("train") / "learned.safetensors"
    options = replace(SMALL, steps=150, width=32, blocks=2, batch=4, checkpoint_steps=100, finer=request.param)
    return out, train_codec(photos, out, reader=READER, options=options)


def test_it_gains_at_fewer_bits(learned):
    out, trained = learned
    assert trained.complete
    assert trained.after.psnr > trained.before.psnr
    assert trained.after.bits < trained.before.bits
    again = load_codec(out)
    assert (again.name, again.fingerprint) == ("learned", trained.codec.fingerprint)
    assert again.fingerprint != load_codec("rgb-f8c12").fingerprint
    with Image.open(out.with_suffix(".png")) as picture:
        assert picture.size == (3 * 80, 3 * 64)


def test_flips_of_what_was_trained_are_exact(learned):
    codec = learned[1].codec
    signal = photograph("chelsea.png")[None, :, :256, :320].double() / 255
    for axis in (0, 1):
        assert torch.equal(codec.encode(signal.flip(2 + axis)), flip(codec.encode(signal), codec, axis))
    z = codec.encode(signal)
    assert z.abs().max() <= 127


def test_without_its_network_it_is_as_good_as_a_linear_one_can_be(learned):
    codec = learned[1].codec
    parts = {name: getattr(codec, name) for name in ("mean", "odd", "encoder", "decoder", "steps", "scale")}
    linear, signal = Codec(codec.config, **parts), photograph("chelsea.png")[None, :, :256, :320]
    floats = codec.dequantize(codec.encode(signal))
    assert 0.2 < floats.var() < 2
    errors = [float((each.decode(codec.encode(signal)) - signal / 255).square().mean()) for each in (codec, linear)]
    assert errors[1] < 1.5 * errors[0]


@pytest.mark.parametrize("finer", [0, 2])
def test_stopped_and_resumed_it_has_the_losses_of_one_go(photos, tmp_path, monkeypatch, finer):
    options = replace(SMALL, finer=finer)
    train_codec(photos, tmp_path / "whole.safetensors", reader=READER, options=options)
    whole = losses(tmp_path / "whole.safetensors")
    out, step = tmp_path / "parts.safetensors", Optimiser.step
    for last in (17, 23):  # before the encoder is frozen, and behind that

        def interrupted(self, number, last=last):
            if number == last:
                raise KeyboardInterrupt
            step(self, number)

        monkeypatch.setattr(Optimiser, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_codec(photos, out, reader=READER, options=options)
    monkeypatch.setattr(Optimiser, "step", step)
    resumed = train_codec(photos, out, reader=READER, options=options)
    assert losses(out) == whole
    assert len(whole) > 4
    assert resumed.codec.fingerprint == load_codec(tmp_path / "whole.safetensors").fingerprint
    again = train_codec(photos, out, reader=READER, options=options)  # all steps are done
    assert again.codec.fingerprint == resumed.codec.fingerprint


def test_minutes_end_a_run_that_the_next_one_goes_on_with(photos, tmp_path):
    out = tmp_path / "some.safetensors"
    first = train_codec(photos, out, reader=READER, options=replace(SMALL, minutes=1e-9))
    assert (first.steps, first.complete) == (1, False)
    assert load_codec(out).network.name == "conv"
    assert train_codec(photos, out, reader=READER, options=SMALL).complete


def test_as_many_steps_as_take_so_long_are_those_of_the_first_run(photos, tmp_path):
    out, options = tmp_path / "some.safetensors", replace(SMALL, total_minutes=0.003, steps=1)
    first = train_codec(photos, out, reader=READER, options=replace(options, minutes=1e-9))
    assert first.total >= first.steps == 1
    again = train_codec(photos, out, reader=READER, options=options)
    assert (again.total, again.complete) == (first.total, True)


@pytest.mark.parametrize("blocks", [None, 4])
def test_what_is_trained_may_be_trained_on(blocks, learned, photos, tmp_path):
    options = replace(SMALL, width=None, kernel=None, blocks=blocks, decoder_only=True)
    trained = train_codec(photos, tmp_path / "more.safetensors", codec=learned[1].codec, reader=READER, options=options)
    assert trained.codec.network.state()[1]["blocks"] == (blocks or 2)
    assert trained.codec.fingerprint == learned[1].codec.fingerprint
    assert trained.before.psnr == pytest.approx(learned[1].after.psnr, abs=0.5)
    assert trained.after.psnr > trained.before.psnr - 0.5
    before, after = (each.codec.network.state()[0]["project"] for each in (learned[1], trained))
    assert not torch.equal(after[:2], before)
    assert bool((after[2:] != 0).any()) == (blocks is not None)


@pytest.mark.parametrize("name", ["rgb-f8c12-learned", "rgb-f8c48-learned"])
def test_more_blocks_add_nothing_yet(name):
    codec = load_codec(name)
    options, spread = replace(SMALL, width=None, kernel=None, blocks=12), torch.ones(codec.channels)
    config, (has, grown) = codec.config, (initial_tensors(codec, each, spread) for each in (TrainOptions(), options))
    assert len(grown["expand"]) == 12
    assert grown["expand"].abs().mean((1, 2)).min() > 0.01
    packets = torch.randn(1, 16, 16, config.packet_channels, generator=torch.Generator().manual_seed(0))
    losses = []
    for tensors, each in ((has, TrainOptions()), (grown, options)):
        model = Model(codec, tensors, codec.steps, replace(each, decoder_only=True))
        losses.append(model.loss(packets, torch.ones(1, 1, 1, 1), None, None).total)
    assert torch.equal(*losses)


def test_a_finer_network_alone_leaves_latents_as_they_are(photos, tmp_path):
    options = replace(SMALL, decoder_only=True, finer=1)
    trained = train_codec(photos, tmp_path / "some.safetensors", reader=READER, options=options)
    assert trained.codec.network.name == "refine"
    assert trained.codec.fingerprint == load_codec("rgb-f8c12").fingerprint
    assert torch.equal(trained.codec.decoder, load_codec("rgb-f8c12").decoder)  # which prefixes have
    assert trained.after.bits == trained.before.bits
    assert trained.after.psnr > trained.before.psnr


class Blocks:
    """Arrays as signals of three dimensions."""

    kind: ClassVar[str] = "video"
    dims: ClassVar[int] = 3
    suffixes: ClassVar[frozenset[str]] = frozenset()
    channels = 1

    def read(self, data: Any, name: str) -> Signal:
        return Signal(data)

    def config(self) -> dict[str, Any]:
        return {}


def test_sound(tmp_path):
    values = [sound(0.5, seed=seed) for seed in range(8)]
    config = CodecConfig(name="chirps", kind="audio", signal_channels=1, dims=1, levels=4, wavelet="10/18")
    codec = fit([torch.from_numpy(each)[None] for each in values], config, channels=8)
    trained = train_codec(values, tmp_path / "some.safetensors", codec=codec, options=replace(SMALL, window=32))
    assert trained.after.psnr > trained.before.psnr - 1
    assert not (tmp_path / "some.png").exists()


def test_three_dimensions_of_which_one_has_other_levels(tmp_path):
    ramp = np.linspace(0, 5, 16 * 24 * 24).reshape(1, 16, 24, 24)
    values = [(127 + 120 * np.sin(ramp * (seed + 1))).astype(np.uint8) for seed in range(8)]
    config = CodecConfig(name="waves", kind="video", signal_channels=1, dims=3, levels=(1, 2, 2), wavelet="10/18")
    codec = fit([torch.from_numpy(each)[None] for each in values], config, channels=6)
    options = replace(SMALL, steps=10)
    trained = train_codec(values, tmp_path / "some.safetensors", codec=codec, reader=Blocks(), options=options)
    assert trained.complete
    assert trained.codec.network.tensors["depthwise"].shape == (1, 8, 3, 3, 3)
