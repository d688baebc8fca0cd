"""What a user can choose about the way files are reached."""

import math
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from walloc_data.errors import DatasetError
from walloc_data.numbers import whole_number

__all__ = ["StorageOptions"]


@dataclass(frozen=True, kw_only=True)
class StorageOptions:
    """How remote files are read and kept. Local files need none of it.

    `cache_dir` is the folder of the disk cache (None: `$WALLOC_CACHE`, or `walloc_data` in the user's cache folder),
    `cache_bytes` its bound (0: no disk cache), `timeout` the seconds to connect and between bytes, `retries` how
    often a request that failed for a passing reason is sent again. `revision` (a branch, tag or commit) and `token`
    are for `hf://`; the token appears in no message. Raises `DatasetError` for values out of range.
    """

    cache_dir: str | os.PathLike[str] | None = None
    cache_bytes: int = 10 * 2**30
    timeout: float = 30.0
    retries: int = 6
    revision: str | None = None
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("cache_bytes", "retries"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least=0))
        if not isinstance(self.timeout, int | float) or not (math.isfinite(self.timeout) and self.timeout > 0):
            raise DatasetError(f"timeout={self.timeout!r} is not a number of seconds above 0")
        if not isinstance(self.cache_dir, str | os.PathLike | None):
            raise DatasetError(f"cache_dir={self.cache_dir!r} is not the path of a folder")
        for name in ("revision", "token"):
            if getattr(self, name) is not None and not (isinstance(getattr(self, name), str) and getattr(self, name)):
                raise DatasetError(f"{name} must be text, or None")
        if not (self.token or "").isascii() or not (self.token or "").isprintable():
            raise DatasetError(
                "token must be a line of ASCII: look for a line break or a space that was copied with it"
            )

    @property
    def cache_folder(self) -> Path | None:
        """The folder of the disk cache, absolute; None where none was chosen and the user has no home.

        Raises `DatasetError` for one in the home of nobody.
        """
        chosen = self.cache_dir or os.environ.get("WALLOC_CACHE")
        if chosen:
            folder = os.path.expanduser(os.fspath(chosen))
            if folder.startswith("~"):
                raise DatasetError(f"the disk cache in {folder}: that home is not known; write the folder from / on")
            return Path(os.path.abspath(folder))
        home, caches = os.path.expanduser("~"), os.environ.get("XDG_CACHE_HOME", "")
        if sys.platform != "darwin" and os.path.isabs(caches):
            return Path(caches, "walloc_data")
        if not os.path.isabs(home):  # no $HOME, and a user whom the system does not know: as in many containers
            return None
        return Path(home, *(("Library", "Caches") if sys.platform == "darwin" else (".cache",)), "walloc_data")
