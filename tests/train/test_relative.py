"""Losses that are relative: soft windows count like loud ones."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.train.test_training import SMALL
from walloc_data import load_codec
from walloc_data.train import TrainOptions
from walloc_data.train.model import Model, initial_tensors


def total(packets: Tensor, *, relative: bool) -> tuple[float, Tensor]:
    """The loss of windows of packets, and its gradient for each of them."""
    codec, options = load_codec("stereo-f256c27"), replace(SMALL, relative=relative)
    model = Model(codec, initial_tensors(codec, options, torch.ones(27)), codec.steps, options)
    packets = packets.clone().requires_grad_()
    loss = model.loss(packets, torch.ones(len(packets), 1, 1), torch.zeros(*packets.shape[:2], 27), None).total
    [gradient] = torch.autograd.grad(loss, [packets])
    return float(loss.detach()), gradient


def test_each_window_has_its_logarithm():
    windows = (
        torch.randn(3, 8, 512, generator=torch.Generator().manual_seed(0)) * torch.tensor([10.0, 3, 1])[:, None, None]
    )
    rounding = 27 * float(load_codec("stereo-f256c27").steps.min()) ** 2 / 12
    costs = [total(window[None], relative=False)[0] for window in windows]
    expected = sum(math.log(cost + rounding) for cost in costs) / 3
    assert total(windows, relative=True)[0] == pytest.approx(expected, rel=1e-5)
    assert total(windows, relative=False)[0] == pytest.approx(sum(costs) / 3, rel=1e-5)


def test_a_soft_window_counts_like_a_loud_one_and_silence_for_nothing():
    loud = torch.randn(1, 8, 512, generator=torch.Generator().manual_seed(0)) * 30
    windows = torch.cat([loud, loud / 10, torch.zeros_like(loud)])
    for relative, least in ((True, 0.9), (False, 0.0)):
        pulls = (total(windows, relative=relative)[1] * windows).flatten(1).sum(1)  # what a bit of loudness costs
        assert least < pulls[1] / pulls[0] < least + 0.11
        assert pulls[2] == 0


def test_earlier_checkpoints_are_of_the_same_training_as_long_as_they_are_not():
    assert "relative" not in TrainOptions().identity()
    assert TrainOptions(relative=True).identity()["relative"]
