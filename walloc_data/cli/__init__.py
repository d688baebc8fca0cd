"""The door: `walloc-shard SRC OUT` and `walloc <verb>`."""

from walloc_data.cli.commands import main, main_shard

__all__ = ["main", "main_shard"]
