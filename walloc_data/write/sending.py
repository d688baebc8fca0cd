"""What goes from one process to another, or from one machine: work, and the errors of those that do it."""

import pickle
from typing import Any

from walloc_data.errors import DatasetError

__all__ = ["picklable", "pickled", "unsendable"]


def pickled(work: Any) -> bytes:
    """Work as bytes. Raises `DatasetError` for what does not pickle."""
    try:
        return pickle.dumps(work)
    except Exception as error:  # whatever the classes of a source raise
        raise unsendable(error) from error


def unsendable(error: Exception) -> DatasetError:
    """What to say of work that does not pickle."""
    return DatasetError(
        f"the source cannot be sent to other processes ({error}): use workers=1, or define its class at the top of a "
        "module, and leave out lambdas and open files"
    )


def picklable(error: Exception) -> Exception:
    """An error as it arrives elsewhere; one of another class that says the same, where it would not."""
    try:
        found: Exception = pickle.loads(pickle.dumps(error))
    except Exception:  # whatever its class raises
        return RuntimeError(f"{type(error).__name__}: {error}")
    return found
