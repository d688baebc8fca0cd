"""What a split was before shards were appended to it: an epoch that began then ends in its own order."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from walloc_data.format import ShardInfo
from walloc_data.order import Cut, Order, SplitOrder, ViewedOrder, Views

__all__ = ["Grown", "split_text"]


def split_text(fingerprint: str, block: int, shards: Sequence[ShardInfo]) -> bytes:
    """What tells the samples of a split, in their order, from others."""
    lines = [f"{fingerprint} {block}\n", *(f"{shard.name} {shard.samples} {shard.sha256}\n" for shard in shards)]
    return "".join(lines).encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Grown:
    """The first so many `shards` of a split, for any number of them: their order, and how an epoch of it is cut.

    Their samples have the same numbers as among all, so one reader gives both. `mixing` are options of `SplitOrder`,
    `epoch_samples` is None where an epoch is all there is; `cut` takes the samples of an epoch, and the ranks.
    """

    fingerprint: str
    block: int
    shards: Sequence[ShardInfo]
    mixing: Mapping[str, Any]
    epoch_samples: int | None
    cut: Callable[[int, int], Cut]
    views: Views | None = None

    def find(self, digest: str) -> int:
        """How many of the first shards, but not all, have a digest; 0 where none have."""
        lines = split_text(self.fingerprint, self.block, self.shards).splitlines(keepends=True)
        found = hashlib.sha256(lines[0])
        for number, line in enumerate(lines[1:-1], 1):
            found.update(line)
            if found.hexdigest()[:16] == digest:
                return number
        return 0

    def order(self, shards: int) -> Order:
        """The order of the first shards."""
        order = SplitOrder(self._counts(shards), self.block, **self.mixing)
        return order if self.views is None else ViewedOrder(order, self.views)

    def identity(self, shards: int) -> dict[str, Any]:
        """What a state says of the first shards."""
        digest = hashlib.sha256(split_text(self.fingerprint, self.block, self.shards[:shards]))
        return {"dataset": digest.hexdigest()[:16], "epoch_samples": self.length(shards)}

    def length(self, shards: int) -> int:
        """Samples of an epoch."""
        return self.epoch_samples or self.samples(shards)

    def samples(self, shards: int) -> int:
        """Samples that there are."""
        return sum(self._counts(shards))

    def _counts(self, shards: int) -> list[int]:
        count = 1 if self.views is None else self.views.count
        return [shard.samples // count for shard in self.shards[:shards]]
