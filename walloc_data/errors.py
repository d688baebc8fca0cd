"""Every error a user can meet. All derive from `WallocError`; the message says what, where, and what to do."""

__all__ = [
    "CodecError",
    "CoderError",
    "DatasetError",
    "FormatError",
    "MissingError",
    "SampleError",
    "SourceError",
    "TrainError",
    "WallocError",
]


class WallocError(Exception):
    """Base of all errors raised on purpose by this package."""

    def __init__(self, message: str = "") -> None:
        kind = type(self).__name__
        if message.startswith(f"Caught {kind} in "):  # torch makes errors of workers anew, of their traceback as text
            message = message.rpartition(f"{kind}: ")[2].rstrip()
        super().__init__(" ".join(message.splitlines()))  # one line, whatever line breaks names in it have


class CodecError(WallocError, ValueError):
    """A codec file, a codec name, or a signal or latent that does not fit the codec."""


class CoderError(WallocError, ValueError):
    """A payload that does not decode, tables that do not fit, or an unknown coder."""


class FormatError(WallocError, ValueError):
    """A record, shard, index or manifest that is damaged, truncated or of another version."""


class SourceError(WallocError, ValueError):
    """Raw data as a whole that cannot be sharded: a missing folder, no images, no classes."""


class SampleError(WallocError, ValueError):
    """One raw sample that cannot be read; the write path can skip it."""


class DatasetError(WallocError, ValueError):
    """A dataset that cannot be opened, continued or indexed as asked."""


class MissingError(DatasetError):
    """A file of a dataset, or the end of one, that its place says it has not: no retry helps."""


class TrainError(WallocError, ValueError):
    """A training that cannot begin, go on, or end as asked."""
