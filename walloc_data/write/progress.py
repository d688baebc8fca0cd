"""How far a run is: a bar on a terminal, else a line now and then."""

import sys
import time
from types import TracebackType

from tqdm import tqdm

__all__ = ["Progress"]

_SECONDS = 30.0  # between lines


class Progress:
    """Says on standard error how many of `total` samples are done; nothing if `silent`."""

    def __init__(self, total: int, *, silent: bool) -> None:
        self._total, self._done = total, 0
        terminal = sys.stderr.isatty()
        self._bar = tqdm(total=total, unit=" samples", disable=silent or not terminal)
        self._lines = not silent and not terminal
        self._started = self._said = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def tick(self, samples: int) -> None:
        """So many more are done."""
        self._done += samples
        self._bar.update(samples)
        now = time.monotonic()
        if self._lines and now - self._said >= _SECONDS:
            self._said, rate = now, self._done / (now - self._started)
            left = (self._total - self._done) / rate if rate else 0.0
            print(
                f"{self._done:,} of {self._total:,} samples, {rate:,.0f} a second, {left / 60:.0f} minutes to go",
                file=sys.stderr,
                flush=True,
            )
