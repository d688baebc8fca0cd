"""How samples of datasets are stored from now on."""

from dataclasses import dataclass, fields
from typing import Any, TypedDict

from walloc_data.entropy import coder_class
from walloc_data.errors import DatasetError
from walloc_data.numbers import is_number, whole_number
from walloc_data.write.plan import Options

__all__ = ["ChangeOptions", "Changes"]


class ChangeOptions(TypedDict, total=False):
    """`Changes`, as keywords of those that make datasets of datasets."""

    coder: str | None
    layout: str | None
    block: int | None
    shard_samples: int | None
    channels: int | None
    coarser: float


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How samples are stored from now on; None: as they are.

    `coder`, `layout`, `block` and `shard_samples` as in `Options`; of the latents the first `channels`, with steps
    `coarser` times as large.
    """

    coder: str | None = None
    layout: str | None = None
    block: int | None = None
    shard_samples: int | None = None
    channels: int | None = None
    coarser: float = 1.0

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in ("layout", "block", "shard_samples")}
        options = Options(**{name: value for name, value in given.items() if value is not None})  # which checks them
        for name, value in given.items():
            object.__setattr__(self, name, None if value is None else getattr(options, name))
        if self.coder is not None:
            coder_class(self.coder)
        if not is_number(self.coarser):
            raise DatasetError(f"coarser={self.coarser!r} is not a number from 1 on")
        object.__setattr__(self, "coarser", float(self.coarser))  # 2 and 2.0 are one, also in the lineage
        if self.channels is not None:
            object.__setattr__(self, "channels", whole_number("channels", self.channels, least=1))

    def config(self) -> dict[str, Any]:
        """Those that change anything."""
        given = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in given.items() if value != default}
