"""One step of a training after another: the schedule, the moments, and the averages."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from walloc_data.codec.refine import FIRST
from walloc_data.train.options import TrainOptions

__all__ = ["FROZEN", "Optimiser", "frozen_from"]

FROZEN = 0.7  # of the steps, after which latents are rounded and the encoder stays
_WARM_UP = 200  # steps, or a tenth of all
_LAST = 0.01  # of the rate of learning
_CLIP = 1.0
_AVERAGED = 0.999
_STAYING = ("gain", "depthwise_bias")


def frozen_from(options: TrainOptions) -> int:
    """The step from which the encoder stays as it is."""
    return 0 if options.decoder_only else round(options.steps * FROZEN)


def _learns(name: str) -> bool:
    return name.removeprefix(FIRST) not in _STAYING


class Optimiser:
    """Adam on `tensors`, with a warm-up, a cosine and clipped gradients; `averages` follow them exponentially.

    `gain` stays as it is, and so do biases of depthwise layers, since those of the layers behind them do the same.
    """

    def __init__(self, tensors: dict[str, Tensor], options: TrainOptions) -> None:
        self.tensors, self.options = tensors, options
        self.averages = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        for name, tensor in tensors.items():
            tensor.requires_grad_(_learns(name))
        learning = self.learning
        fused = learning[0].device.type == "cuda"  # one kernel for all tensors
        self._adam = torch.optim.Adam(learning, lr=options.learning_rate, betas=(0.9, 0.99), fused=fused)
        self._counts_on = learning[0].device if fused else torch.device("cpu")

    @property
    def learning(self) -> list[Tensor]:
        """The tensors that are trained."""
        return [tensor for tensor in self.tensors.values() if tensor.requires_grad]

    def step(self, number: int) -> None:
        """Make the loss smaller whose gradients the tensors have; `number` counts from 0."""
        for group in self._adam.param_groups:
            group["lr"] = self._rate(number)
        clip_grad_norm_(self.learning, _CLIP)
        self._adam.step()
        keep = min(_AVERAGED, (1 + number) / (10 + number))
        with torch.no_grad():
            for name, average in self.averages.items():
                average.lerp_(self.tensors[name], 1 - keep)

    def freeze(self) -> None:
        """The encoder stays, from here on, and takes no gradient."""
        self.tensors["encoder"].requires_grad_(False).grad = None

    def settle(self) -> None:
        """Go on from the averages."""
        with torch.no_grad():
            for name, average in self.averages.items():
                self.tensors[name].copy_(average)

    def moments(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The first and second moments of each tensor; zeros where there are none yet."""
        found: list[dict[str, Tensor]] = []
        for key in ("exp_avg", "exp_avg_sq"):
            each = {name: self._adam.state[tensor].get(key) for name, tensor in self.tensors.items()}
            found.append({n: torch.zeros_like(self.tensors[n]) if m is None else m for n, m in each.items()})
        return found[0], found[1]

    def restore(
        self,
        number: int,
        tensors: Mapping[str, Tensor],
        averages: Mapping[str, Tensor],
        first: Mapping[str, Tensor],
        second: Mapping[str, Tensor],
    ) -> None:
        """As after `number` steps."""
        frozen = frozen_from(self.options)
        for name, tensor in self.tensors.items():
            with torch.no_grad():
                tensor.copy_(tensors[name])
                self.averages[name].copy_(averages[name])
            taken = min(number, frozen) if name == "encoder" else number
            if taken and _learns(name):
                self._adam.state[tensor] = {
                    "step": torch.tensor(float(taken), device=self._counts_on),
                    "exp_avg": first[name].to(tensor),
                    "exp_avg_sq": second[name].to(tensor),
                }

    def _rate(self, number: int) -> float:
        steps, most = self.options.steps, self.options.learning_rate
        warm = min(_WARM_UP, max(1, steps // 10))
        if number < warm:
            return most * (number + 1) / warm
        done = (number - warm) / max(1, steps - warm)
        return most * (_LAST + (1 - _LAST) * (1 + math.cos(math.pi * done)) / 2)
