"""Files of a folder of this machine."""

import os
from pathlib import Path

from walloc_data.errors import DatasetError

__all__ = ["LocalStorage"]


class LocalStorage:
    """A `Storage` of a local folder: nothing is requested, nothing cached, and versions say nothing new."""

    requests = 0
    revision = ""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()  # a run may go elsewhere, as Hydra's do
        self.url = str(Path(folder))

    def __repr__(self) -> str:
        return f"LocalStorage({self.url!r})"

    def path(self, name: str) -> Path | None:
        """The file, whether or not it is there."""
        return self.folder / name

    def size(self, name: str) -> int:
        """Bytes of a file. Raises `DatasetError` where there is none."""
        path = self.folder / name
        try:
            return path.stat().st_size
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error

    def read(self, name: str, *, version: str = "", anew: bool = False) -> bytes:
        """A whole file. Raises `DatasetError` where it cannot be read."""
        path = self.folder / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error

    def read_range(self, name: str, start: int, stop: int, *, version: str = "", anew: bool = False) -> bytes:
        """Bytes `start` up to `stop` of a file, all of them, or `DatasetError`."""
        if not 0 <= start <= stop:
            raise ValueError(f"no range: {start} to {stop}")
        path = self.folder / name
        try:
            with path.open("rb", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                if stop > size:
                    raise DatasetError(
                        f"{path} has {size} bytes, and bytes {start} to {stop} were asked for: cut short or replaced; "
                        "copy it again"
                    )
                file.seek(start)
                return file.read(stop - start)
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
