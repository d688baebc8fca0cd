"""The verb `check`, as version 0.1 called `verify`."""

from walloc_data.cli.verify import KEPT, add, run

__all__ = ["KEPT", "add", "run"]
