"""What a coder is, and the literal table of all of them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy.rans import RansCoder
from walloc_data.entropy.zstd import ZstdCoder
from walloc_data.errors import CoderError

__all__ = ["CODERS", "Coder", "coder_class", "load_coder"]


class Coder(Protocol):
    """Latents of one dataset to payloads, one a sample, and back.

    A sample's payload decodes without its neighbours. What all samples share stands in `tables`.
    """

    id: ClassVar[int]
    name: ClassVar[str]
    bits_are: ClassVar[str]  # what `bits_by_channel` measures

    @classmethod
    def fit(cls, latents: Sequence[NDArray[np.int8]]) -> "Coder":
        """A coder for a dataset of which `latents`, int8 arrays `[c, *space]`, are a sample."""

    def encode(self, latents: NDArray[np.int8]) -> list[bytes]:
        """Payloads of `int8 [N, c, *space]`, one a sample."""

    def decode(self, buffer: Any, segments: NDArray[np.uint64], out: NDArray[np.int8]) -> None:
        """Fill `out`, int8 `[N, k, *space]`, C-contiguous, with the first k channels of the payloads in a buffer.

        `segments` is uint64 `[N, 2]`: offset and bytes of each. Raises `CoderError` for a payload that cannot be right;
        of a prefix, fewer channels than there are, what is behind it is not looked at.
        """

    def warm_up(self, channels: int | None = None) -> None:
        """Load what decoding runs, of all channels or of the first, so that processes forked later need not."""

    def bits_by_channel(self, latents: Sequence[NDArray[np.int8]]) -> NDArray[np.float64]:
        """Bits a latent of each channel, float64 `[c]`, of int8 arrays `[c, *space]`: where a dataset's bytes go."""

    def tables(self) -> dict[str, NDArray[Any]]:
        """What decoding needs besides payloads, as small arrays."""

    @classmethod
    def from_tables(cls, tables: Mapping[str, NDArray[Any]]) -> "Coder":
        """The inverse of `tables`; raises `CoderError` where they are damaged."""


CODERS: dict[int, type[Coder]] = {
    1: ZstdCoder,
    2: RansCoder,
}


def coder_class(key: int | str) -> type[Coder]:
    """The coder of an id (as records hold it) or a name (as people say it). Raises `CoderError` for neither."""
    for number, cls in CODERS.items():
        if key in (number, cls.name):
            return cls
    known = ", ".join(f"{cls.name} ({number})" for number, cls in CODERS.items())
    raise CoderError(f"no coder {key!r}: this walloc_data knows {known}")


def load_coder(name: str, tables: Mapping[str, NDArray[Any]]) -> Coder:
    """The coder called `name` with a dataset's tables."""
    return coder_class(name).from_tables(tables)
