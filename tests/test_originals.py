"""Original files read anew in every epoch, against what is stored of them."""

from pathlib import Path

import torch

from benchmarks.tasks.originals import ARMS, HEAD, OriginalFiles, read_epochs, summary
from tests.photographs import write_folder


def test_original_files_are_resized_and_reported(tmp_path: Path) -> None:
    paths = sorted(write_folder(tmp_path / "photographs", splits=("all",)).rglob("*.jpg"))
    plain, helped = (OriginalFiles(paths, size=32, draft=draft) for draft in (False, True))
    for index in range(len(paths)):
        one, other = plain[index][0], helped[index][0]
        assert one.shape == other.shape == (3, 32, 32)
        assert one.dtype == torch.uint8
        assert (one.float() - other.float()).abs().mean() < 12  # another filter, the same picture
    named = {"original files": (plain, 5000.0), ARMS[-1].name: (helped, 100.0)}
    speeds = read_epochs({name: data for name, (data, _) in named.items()}, 1)
    assert all(speed > 0 for speed in speeds.values())
    rows = summary(named, speeds)
    assert rows[0] == HEAD
    assert [row[:2] for row in rows[1:]] == [("original files", "5,000"), (ARMS[-1].name, "100")]
    assert rows[2][3] == "1.0 times as fast"
