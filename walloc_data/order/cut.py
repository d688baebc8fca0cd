"""How an epoch's stretch of the order is dealt to steps and ranks: every sample once, as many steps for every rank."""

from dataclasses import dataclass

from walloc_data.errors import DatasetError
from walloc_data.numbers import whole_number

__all__ = ["Cut"]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """An epoch of `length` samples in steps of `batch` samples, those of all `world` ranks together.

    The last step takes what is left, unless `drop_last`; where that is too little to give every rank a sample, the step
    before takes it too. With `lanes`, the epoch is cut into as many stretches, and each step takes an equal part of
    each, so that a rank, or a node of ranks, reads a part of the dataset only. Lanes change the order; world does
    not.
    """

    length: int
    batch: int
    world: int = 1
    lanes: int = 1
    drop_last: bool = False

    def __post_init__(self) -> None:
        for name in ("length", "batch", "world", "lanes"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least=1))
        if self.batch < self.world:
            raise DatasetError(f"batches of {self.batch} samples cannot be dealt to {self.world} ranks")
        if self.batch % self.lanes:
            raise DatasetError(
                f"{self.lanes} lanes do not divide batches of {self.batch} samples (of all ranks together)"
            )
        if not self.steps(0):
            need = self.batch if self.drop_last else self.world
            raise DatasetError(
                f"{self.length} samples are not one step for {self.world} ranks, which takes {need}: use fewer ranks"
                + (", smaller batches or drop_last=False" if self.drop_last else "")
            )

    def steps(self, done: int) -> int:
        """Steps that are left when `done` samples of the epoch are done."""
        full, rest = divmod(self.length - done, self.batch)
        return full + (rest >= self.world and not self.drop_last)

    def spans(self, done: int, rank: int) -> list[tuple[int, int]]:
        """Places (from, to before) of a rank's samples in the step that follows `done` samples of the epoch."""
        last = not self.drop_last and self.length - done - self.batch < self.world
        step, share = done // self.batch, self.batch // self.lanes
        spans = []
        for lane in range(self.lanes):
            begin, end = (self.length * number // self.lanes for number in (lane, lane + 1))
            start = done if self.lanes == 1 else begin + step * share
            spans.append((start, end if last else start + share))
        total = sum(stop - start for start, stop in spans)
        low, high = total * rank // self.world, total * (rank + 1) // self.world
        mine, seen = [], 0
        for start, stop in spans:
            first, end = max(start, start + low - seen), min(stop, start + high - seen)
            if first < end:
                mine.append((first, end))
            seen += stop - start
        return mine

    def taken(self, done: int) -> int:
        """Samples that are done after the step that follows `done`, over all ranks."""
        last = self.steps(done) <= 1
        return self.length if last else done + self.batch
