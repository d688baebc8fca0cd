"""Checkpoints: all that a training needs to go on as if it had never stopped, in a safetensors file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from walloc_data.codec import read_tensors, write_tensors
from walloc_data.errors import CodecError, TrainError

__all__ = ["Checkpoint", "checkpoint_path"]

_KIND = "walloc-training"
_GROUPS = ("tensors", "averages", "first", "second")
_LATER = ("reading", "start")  # of which checkpoints of earlier versions say nothing
_HASHED = {"source": "other samples", "codec": "another codec to start from", "start": "another decoder to start from"}


def checkpoint_path(out: Path) -> Path:
    """Where the checkpoint of a codec's training lies."""
    return out.with_suffix(".checkpoint.safetensors")


@dataclass
class Checkpoint:
    """After `step` steps: `tensors`, their `averages`, the optimiser's `first` and `second` moments by name, and the
    `steps` of the quantiser. `identity` says of what training, `precision` how it computes, and `total` how many steps
    it takes."""

    step: int
    tensors: Mapping[str, Tensor]
    averages: Mapping[str, Tensor]
    first: Mapping[str, Tensor]
    second: Mapping[str, Tensor]
    steps: Tensor
    identity: dict[str, Any]
    precision: str
    total: int

    def write(self, path: Path) -> None:
        """Whole or not at all: where it cannot be written, the last one stays."""
        content = {"steps": self.steps.cpu()}
        for group in _GROUPS:
            content |= {f"{group}.{name}": each.detach().cpu() for name, each in getattr(self, group).items()}
        facts = {"step": self.step, "identity": self.identity, "precision": self.precision, "total": self.total}
        write_tensors(path, content, {"kind": _KIND, **facts})

    @classmethod
    def read(cls, path: Path, like: Mapping[str, Tensor], identity: Mapping[str, Any]) -> "Checkpoint | None":
        """The checkpoint of a training; None where there is none yet.

        Raises `TrainError` for one that is damaged, or of another training than `identity`, or of other tensors than
        `like`.
        """
        if not path.exists():
            return None
        remedy = "delete it to begin anew, or choose another OUT"
        try:
            content, facts = read_tensors(path)
        except CodecError as error:
            if isinstance(error.__cause__, OSError):  # it may be whole
                remedy = "see that it may be read, then run the same again to go on"
            raise TrainError(f"{error}: {remedy}") from error
        if facts.get("kind") != _KIND:
            raise TrainError(f"{path} is no checkpoint of a training: {remedy}")
        before = facts.get("identity")
        was = before if isinstance(before, dict) else {}
        was = {**{later: identity[later] for later in _LATER if later in identity}, **was}
        if "network" in identity and "network" not in was:  # earlier ones say options that did not count
            was = {name: value for name, value in was.items() if name not in identity["network"]}
            was["network"] = identity["network"]
        if was != identity:
            differing = [
                _HASHED.get(name) or f"{name} {was.get(name)!r} then, {identity.get(name)!r} now"
                for name in {**identity, **was}
                if was.get(name) != identity.get(name)
            ]
            raise TrainError(f"{path} is of another training ({'; '.join(differing[:4])}): ask for the same, {remedy}")
        groups: dict[str, dict[str, Tensor]] = {group: {} for group in _GROUPS}
        for group, found in groups.items():
            for name, tensor in like.items():
                key = f"{group}.{name}"
                if key not in content:
                    raise TrainError(f"{path} is damaged: tensor {key!r} is missing; {remedy}")
                if content[key].shape != tensor.shape:
                    shapes = f"{list(content[key].shape)}, not {list(tensor.shape)}"
                    raise TrainError(f"{path} is damaged: tensor {key!r} has shape {shapes}; {remedy}")
                found[name] = content[key]
        try:
            return cls(
                step=int(facts["step"]),
                steps=content["steps"],
                identity=dict(identity),
                precision=str(facts["precision"]),
                total=int(facts["total"]),
                **groups,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise TrainError(f"{path} is damaged ({type(error).__name__} {error}): {remedy}") from error
