"""Fields of samples that differ, or are called like one of ours: nothing is lost."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tests.photographs import window
from tests.test_shard import run
from walloc_data import LatentDataset
from walloc_data.errors import DatasetError
from walloc_data.format import Manifest
from walloc_data.sources import Raw, Source
from walloc_data.write.rows import renamed


@dataclass
class Listed:
    """A split of pictures with such fields."""

    fields: list[dict[str, Any]] = field(default_factory=list)

    def __len__(self):
        return len(self.fields)

    def key(self, index):
        return f"sample{index}"

    def stamp(self, index):
        return ""

    def digest(self):
        return repr(self.fields)

    def __getitem__(self, index):
        return Raw(np.asarray(window("chelsea", index)), self.key(index), self.fields[index])


def stored(out):
    dataset = LatentDataset(out)
    found = [dataset.fields(index) for index in range(len(dataset))]
    return sorted(found, key=lambda one: one["key"])


def test_fields_called_like_ours_get_other_names_and_a_note(codec, tmp_path):
    theirs = {"key": "theirs", "size": 5, "latents": "none", "original_size": 1.5, "size_": "too", "text": "a"}
    source = Source("a list", {"train": Listed([theirs] * 3)})
    for _ in range(2):
        notes = run(source, tmp_path / "out", codec).notes
        assert set(notes) == {
            "field 'key' is stored as 'key_'",
            "field 'size' is stored as 'size__'",
            "field 'latents' is stored as 'latents_'",
            "field 'original_size' is stored as 'original_size_'",
        }
    for index, row in enumerate(stored(tmp_path / "out")):
        assert row["key"] == f"sample{index}"
        assert (row["key_"], row["size__"], row["latents_"], row["original_size_"]) == ("theirs", 5, "none", 1.5)
        assert (row["size_"], row["text"]) == ("too", "a")
        assert row["size"] == [64, 64]


def test_other_names_are_taken_once():
    assert renamed(["key", "key_", "key__"], ["size"]) == {"key": "key___"}
    assert renamed(["a", "size"], ["size"]) == {"size": "size_"}
    assert renamed([], []) == {}


def test_a_name_that_is_no_text_is_one_sentence(codec, tmp_path):
    fields = [{"caption": "a", 7: "b"}]
    with pytest.raises(DatasetError, match="field 7 has a name that is no text"):
        run(Source("a list", {"train": Listed(fields)}), tmp_path / "out", codec)


def test_fields_that_differ_between_samples_are_null_where_they_lack(codec, tmp_path):
    fields = [{"label": 1, "caption": "a"}, {"caption": "b", "score": 0.5}, {"label": 3}, {"score": [1, 2]}]
    run(Source("a list", {"train": Listed(fields)}), tmp_path / "out", codec, block=2, shard_samples=2, shuffle=False)
    rows = stored(tmp_path / "out")
    assert [row.get("caption") for row in rows] == ["a", "b", None, None]
    assert [row.get("score") for row in rows] == [None, 0.5, None, [1, 2]]
    assert Manifest.read(tmp_path / "out").columns["score"] == "json"
    assert LatentDataset(tmp_path / "out").targets == [1, -1, 3, -1]
