"""What is to be learned: images, what is asked of each, and how a network is trained on it."""

from dataclasses import dataclass

from torch import Tensor

from benchmarks.images import Images

__all__ = ["Task"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """Images `source` (splits `train` and `val`), brought to `size` pixels a side, and questions on each.

    `answers` is int64 `[classes, questions]`: what is to be answered of an image of a class. Each question has
    `choices` answers, and the metric is the share of questions answered rightly. `factor`: pixels a side that a
    position of the network's grid stands for. `transformer`: whether positions are the tokens of a transformer, or the
    network is a convolutional one. `places`: whether its last layer sees where in the image things are, or their mean.
    `flips`: whether mirrored images count as the same.
    """

    name: str
    source: Images
    size: int
    answers: Tensor
    choices: int
    epochs: int
    factor: int = 8
    transformer: bool = False
    places: bool = False
    flips: bool = False

    @property
    def grid(self) -> int:
        """Positions a side of the network's grid."""
        return self.size // self.factor
