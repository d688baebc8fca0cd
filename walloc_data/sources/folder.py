"""Image folders: splits, classes and files."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from walloc_data.errors import SourceError
from walloc_data.sources.images import list_images

__all__ = ["SPLITS", "ImageFolder", "Item"]

SPLITS = ("train", "val", "valid", "validation", "test")


@dataclass(frozen=True)
class Item:
    """One raw sample: `key`, its path below the source's root with `/` between names, unique; `label`, or None."""

    key: str
    label: int | None


@dataclass(frozen=True)
class ImageFolder:
    """What an image folder holds, found by its shape.

    | shape | splits | labels |
    | --- | --- | --- |
    | `root/{train,val,valid,validation,test}/class/**/image` | as named | by sorted class, of all splits |
    | `root/class/**/image` | `train` | the same |
    | `root/image`, `root/train/image` | `train`, or as named | none |

    `notes` says what a person should know: classes without images, files that were passed over.
    """

    root: Path
    splits: dict[str, list[Item]]
    classes: list[str] | None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def scan(cls, root: str | os.PathLike[str]) -> "ImageFolder":
        """List an image folder. Raises `SourceError` for one that is missing or holds no images."""
        root = Path(root)
        if not root.is_dir():
            raise SourceError(f"{root} is not a folder: give the folder that holds the images")
        names = _subfolders(root)
        found = [name for name in SPLITS if name in names]
        folders = {name: root / name for name in found} if found and set(names) <= set(SPLITS) else {"train": root}
        classes = sorted({name for folder in folders.values() for name in _subfolders(folder)})
        labels = {name: label for label, name in enumerate(classes)}
        splits: dict[str, list[Item]] = {}
        loose, seen = 0, set[str]()
        for split, folder in folders.items():
            items = []
            for path in list_images(folder):
                inside = path.relative_to(folder).parts
                if classes and len(inside) == 1:
                    loose += 1
                    continue
                seen.update(inside[:1])
                items.append(Item(path.relative_to(root).as_posix(), labels[inside[0]] if classes else None))
            if items:
                splits[split] = items
        if not splits:
            raise SourceError(
                f"{root} holds no images (files such as .jpg, .png or .webp), in it or in folders below it"
            )
        notes = [f"class {name!r} has no images" for name in classes if name not in seen]
        if found and folders.keys() == {"train"} and folders["train"] == root:
            others = sorted(set(names) - set(SPLITS))
            notes.append(
                f"{', '.join(found)} taken for classes, not splits, because of {', '.join(others[:3])} beside: "
                f"splits are called {', '.join(SPLITS)}"
            )
        if loose:
            notes.append(f"{loose} images beside the class folders were passed over")
        return cls(root, splits, classes or None, notes)

    def path(self, item: Item) -> Path:
        """Where a sample's file is."""
        return self.root / item.key


def _subfolders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
