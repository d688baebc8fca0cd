"""The shards of a run: each made in its task's room, sent to the output, and entered in the journal there."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from walloc_data.write.encode_shard import ShardReport
from walloc_data.write.engine import Engine
from walloc_data.write.journal import append_report
from walloc_data.write.output import Output
from walloc_data.write.plan import ShardTask
from walloc_data.write.progress import Progress

__all__ = ["made_shards"]

_Tick: TypeAlias = Callable[[int], None]


def made_shards(
    make: Callable[[Path, ShardTask, _Tick], ShardReport],
    tasks: Sequence[ShardTask],
    output: Output,
    engine: Engine,
    *,
    progress: bool,
) -> Iterator[tuple[str, ShardReport]]:
    """Have `make` write the shard of each task in a folder, and give its name and report once it is at an output that
    is owned, and in its journal. `progress` shows a bar."""
    with Progress(sum(map(len, tasks)), silent=not progress) as bar:
        for task, (report, sent) in engine.run(partial(_sent, make, output), tasks, bar.tick):
            append_report(output.folder, report, output.journal)
            output.add(sent)
            yield task.name, report


def _sent(
    make: Callable[[Path, ShardTask, _Tick], ShardReport], output: Output, task: ShardTask, tick: _Tick
) -> tuple[ShardReport, Any]:
    with output.room() as folder:
        report = make(folder, task, tick)
        return report, output.send(folder, report.shard)
