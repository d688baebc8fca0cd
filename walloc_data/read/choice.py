"""What of each sample a dataset gives, and as what: one definition for both doors."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from walloc_data.codec import Codec
from walloc_data.errors import DatasetError
from walloc_data.read.pixel_transforms import pixel_transform_in

__all__ = ["LATENTS", "LENGTH", "Choice"]

LATENTS = "latents"  # what x is called where columns are a mapping
LENGTH = "length"  # the column of samples of sound, or frames of video, before what fills them up
_DECODES = ("latents", "float", "signal", "native", "pixels")


@dataclass(frozen=True)
class Choice:
    """`columns` behind x, `(x, *columns)`; or by their names in a dict, where `"latents"` stands for x.

    `decode` says what x is: `"latents"`, as they are stored; `"float"`, dequantised; `"signal"`, or of images also
    `"pixels"`, decoded; `"native"`, decoded to the dtype of files. `transform` is for x. Raises `DatasetError` for what
    cannot be with this `codec`.
    """

    columns: Sequence[str] | Mapping[str, str]
    decode: str
    transform: Callable[[Any], Any] | None
    codec: Codec

    def __post_init__(self) -> None:
        columns, kind = self.columns, self.codec.config.kind
        if isinstance(columns, str):
            raise DatasetError(f"columns are several: columns=({columns!r},)")
        if isinstance(columns, Iterable) and not isinstance(columns, Mapping | Set):
            columns = tuple(columns)  # an iterator would be gone through once
            object.__setattr__(self, "columns", columns)
        given = isinstance(columns, tuple) or bool(columns and isinstance(columns, Mapping))
        names = [*columns.keys(), *columns.values()] if isinstance(columns, Mapping) else list(columns if given else ())
        if not given or not all(isinstance(name, str) for name in names):
            raise DatasetError(
                "columns are names, ('label', 'key'), or a mapping of names that you choose to those of columns, "
                "{'pixel_values': 'latents', 'labels': 'label'}"
            )
        if not isinstance(columns, Mapping) and LATENTS in names:
            raise DatasetError("latents come first by themselves: leave 'latents' out of columns, or give a mapping")
        if self.decode not in _DECODES:
            raise DatasetError(f"decode={self.decode!r} is not one of {_DECODES}")
        if self.decode == "pixels" and kind != "image":
            raise DatasetError(f"decode='pixels' is for images, and codec {self.codec.name!r} is for {kind}: 'signal'")
        if self.transform is not None and not callable(self.transform):
            raise DatasetError(f"transform is a function of x, not {self.transform!r}")
        wrong = None if self.decoded else pixel_transform_in(self.transform)
        if wrong:
            raise DatasetError(
                f"{wrong} is for signals, and would give latents of none: use walloc_data.transforms, whose "
                "RandomFlip negates odd channels, or decode='signal'"
            )

    @cached_property
    def decoded(self) -> bool:
        """Whether x is the signal."""
        return self.decode in ("signal", "native", "pixels")

    @cached_property
    def wants_latents(self) -> bool:
        """Whether x is given at all."""
        return not isinstance(self.columns, Mapping) or LATENTS in self.columns.values()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Columns that are given, each once."""
        names = self.columns.values() if isinstance(self.columns, Mapping) else self.columns
        return tuple(dict.fromkeys(name for name in names if name != LATENTS))

    @cached_property
    def read(self) -> tuple[str, ...]:
        """Columns that are read: those given, and what decoding takes."""
        return tuple(dict.fromkeys([*self.names, *self.sizes])) if self.wants_latents else self.names

    @cached_property
    def sizes(self) -> tuple[str, ...]:
        """Columns that say how large decoded signals are."""
        if not self.decoded:
            return ()
        return ("size", LENGTH) if self.codec.config.kind in ("audio", "video") else ("size",)

    def assembled(self, x: Any, columns: Mapping[str, Any]) -> Any:
        """A sample or a batch, of x and columns by name."""
        if isinstance(self.columns, Mapping):
            return {key: x if name == LATENTS else columns[name] for key, name in self.columns.items()}
        return (x, *(columns[name] for name in self.columns))
