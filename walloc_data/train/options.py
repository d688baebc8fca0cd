"""What a training is told."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from walloc_data.errors import TrainError
from walloc_data.numbers import is_number, whole_number

__all__ = ["TrainOptions"]

_MOST_SEED = (1 << 32) - 1
_COUNTS = ("steps", "batch", "limit", "checkpoint_steps", "validate_steps")
_NETWORK = {"width": 128, "blocks": 6, "kernel": 5}  # a new one, if nothing else is said
_PRECISIONS = ("auto", "float32", "tf32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How long, how large, and for what.

    `steps` of `batch` windows each (or, with `total_minutes`, as many as take so long on the device that it begins on),
    `window` positions of latents a side (None: 256, 24 or 8 in 1, 2 or 3 dimensions, or as many as the samples have).
    The network works on the grid of the latents (the decoder `conv`), or on one of `finer` levels fewer (`refine`): the
    same samples are more there to learn from, and it takes longer to decode. A new one has `blocks` (6) of `width`
    (128) channels, and kernels of `kernel` (5) positions a side. One that the codec has is trained on: with more
    blocks, if `blocks` says so, which add nothing at first; `train_codec` refuses other forms than it has.
    `rate` is the price of a bit: 1 is the one at which a linear codec would keep its steps, less buys quality with
    bits. `emphasis` is how much more errors of high frequencies count, as in `fit`; `perceptual`, of images, are the
    pixels in a degree of what the eye sees (of a screen at arm's length some 40), by whose sensitivity errors are
    weighted besides, or 0 for all alike. With `relative` each window counts by the logarithm of its error and bits, so
    that soft sounds and dark images are learned from as loud and bright ones are. With `decoder_only` the encoder stays
    as it is, and so do latents and fingerprint. `limit` samples at most are trained on, evenly from the source.
    `device` is `"auto"` (a GPU if there is one), `"cpu"` or `"cuda"`; `precision` is `"float32"`, `"tf32"`,
    `"bfloat16"` or `"auto"`: the one that is fastest on the device, by a measurement. `minutes` ends a run early: the
    next one goes on from its checkpoint. A checkpoint is written every `checkpoint_steps`.

    Raises `TrainError` for what is out of range.
    """

    steps: int = 20_000
    total_minutes: float | None = None
    batch: int = 8
    window: int | None = None
    width: int | None = None
    blocks: int | None = None
    kernel: int | None = None
    finer: int = 0
    rate: float = 1.0
    emphasis: float = 0.0
    perceptual: float = 0.0
    relative: bool = False
    coarsest: float = 2.0
    learning_rate: float = 2e-3
    decoder_only: bool = False
    limit: int = 1000
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    minutes: float | None = None
    checkpoint_steps: int = 500
    validate_steps: int = 2000

    def __post_init__(self) -> None:
        for name, fewest in ({"finer": 0} | dict.fromkeys(_COUNTS, 1)).items():  # numpy's become those that JSON holds
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least=fewest, error=TrainError))
        object.__setattr__(self, "seed", whole_number("seed", self.seed, error=TrainError))
        if not 0 <= self.seed <= _MOST_SEED:
            raise TrainError(f"seed={self.seed} is not in 0 to {_MOST_SEED}")
        for name in ("decoder_only", "relative"):
            object.__setattr__(self, name, bool(getattr(self, name)))
        for name in ("window", *_NETWORK):
            if (size := getattr(self, name)) is not None:
                object.__setattr__(self, name, whole_number(name, size, least=1, error=TrainError))
        if self.kernel is not None and self.kernel % 2 == 0:
            raise TrainError(f"kernel={self.kernel} is not an odd number")
        for name, least in (
            ("rate", 0.0),
            ("emphasis", 0.0),
            ("perceptual", 0.0),
            ("learning_rate", None),
            ("minutes", None),
            ("total_minutes", None),
        ):
            value = getattr(self, name)
            if name.endswith("minutes") and value is None:
                continue
            if not is_number(value) or not (value > 0 or value == least):
                raise TrainError(f"{name}={value!r} is not a number {'above 0' if least is None else 'from 0 on'}")
            object.__setattr__(self, name, float(value))
        if not is_number(self.coarsest) or self.coarsest < 1:
            raise TrainError(f"coarsest={self.coarsest!r} is not a number from 1 on")
        object.__setattr__(self, "coarsest", float(self.coarsest))
        if self.precision not in _PRECISIONS:
            raise TrainError(f"precision={self.precision!r} is not one of {', '.join(_PRECISIONS)}")

    @property
    def new_network(self) -> dict[str, int]:
        """The width, blocks and kernel of a new network."""
        return {name: getattr(self, name) or size for name, size in _NETWORK.items()}

    def identity(self, network: Mapping[str, int] | None = None) -> dict[str, Any]:
        """What makes two runs the same training: all but where, and for how long at a time. Of a `network` that is
        trained on, its form as it becomes."""
        passing = ("device", "precision", "minutes", "checkpoint_steps", "validate_steps")
        named = {name: value for name, value in asdict(self).items() if name not in passing}
        if network is None:
            named |= self.new_network
        else:
            named = {name: value for name, value in named.items() if name not in _NETWORK}
            named["network"] = {name: max(network[name], getattr(self, name) or 0) for name in _NETWORK}
        if self.total_minutes is not None:
            del named["steps"]  # they are measured
        for later in ("perceptual", "relative", "finer"):  # which earlier checkpoints have not
            if not named[later]:
                del named[later]
        return named
