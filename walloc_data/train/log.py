"""A log of JSON lines that a resumed training goes on with."""

import json
from pathlib import Path
from typing import Any

from walloc_data.format import replace_file

__all__ = ["Log"]


class Log:
    """Lines of a training, each with its `step`. Those behind the step at which it is resumed are made again. Without a
    path nothing is written."""

    def __init__(self, path: Path | None, step: int) -> None:
        self.path = path
        if path is None:
            return
        kept = []
        for line in path.read_text("utf-8").splitlines() if step and path.exists() else []:
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (ValueError, KeyError, TypeError):
                continue  # half a line, where the disk was full
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, "".join(kept))

    def add(self, content: dict[str, Any]) -> None:
        """One more line."""
        if self.path is None:
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")
