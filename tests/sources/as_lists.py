"""The photographs of a folder `split/class/name` as a list, and as samples in memory."""

import csv
import io
import json
from pathlib import Path
from typing import Any


def rows_of(photos: Path) -> list[dict[str, str]]:
    """The name, split and class of each, in the order of names."""
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    return [{"file_name": name, "split": name.split("/")[0], "label": name.split("/")[1]} for name in names]


def as_jsonl(photos: Path, root: Path) -> Path:
    """A list of whole paths that name what is below the folder of photographs."""
    root.mkdir()
    rows = [
        {"path": str(photos / row["file_name"]), "split": row["split"], "label": row["label"], "key": row["file_name"]}
        for row in rows_of(photos)
    ]
    (root / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root / "list.jsonl"


def as_csv(photos: Path, root: Path) -> Path:
    """A list beside the folder of photographs, whose keys are the names of files."""
    root.mkdir()
    (root / "photos").symlink_to(photos)
    text = io.StringIO()
    writer = csv.DictWriter(text, ["file_name", "split", "label", "key"])
    writer.writeheader()
    writer.writerows(
        {**row, "file_name": f"photos/{row['file_name']}", "key": row["file_name"]} for row in rows_of(photos)
    )
    (root / "list.csv").write_text(text.getvalue())
    return root / "list.csv"


def as_metadata(photos: Path, root: Path) -> Path:
    """A folder of files of any name, whose metadata say which split and class they are of."""
    (root / "files").mkdir(parents=True)
    lines = []
    for number, row in enumerate(rows_of(photos)):
        name = f"files/{number:04d}.jpg"
        (root / name).symlink_to(photos / row["file_name"])
        lines.append({**row, "file_name": name})
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return root


def as_mappings(photos: Path, root: Path) -> dict[str, list[dict[str, Any]]]:
    """Lists of mappings with keys, a list a split."""
    splits: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(photos):
        sample = {"image": photos / row["file_name"], "label": row["label"], "key": row["file_name"]}
        splits.setdefault(row["split"], []).append(sample)
    return splits


def as_pairs(photos: Path, root: Path) -> dict[str, list[tuple[Path, str]]]:
    """Lists of pairs, a list a split."""
    return {
        split: [(photos / row["file_name"], row["label"]) for row in rows_of(photos) if row["split"] == split]
        for split in ("train", "val")
    }
