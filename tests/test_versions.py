"""Datasets that an earlier version made open, read, are known as complete, and are gone on with.

`tests/golden/<version>` holds pictures and what that version made of them; only tools/make_golden.py wrote them.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.photographs import made
from walloc_data import (
    ImageReader,
    LatentDataset,
    Options,
    StreamingLatentDataset,
    load_codec,
    shard_dataset,
)
from walloc_data.errors import DatasetError
from walloc_data.format import Manifest

VERSIONS = sorted(path for path in (Path(__file__).parent / "golden").iterdir() if (path / "source").is_dir())


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def version(request, tmp_path):
    return Path(shutil.copytree(request.param, tmp_path / "version"))


def shard(version, out, **options):
    return shard_dataset(
        version / "source",
        out,
        codec=load_codec("gray-f8c4"),
        reader=ImageReader(channels=1, size=32),
        options=Options(**{"block": 4, "shard_samples": 4} | options),
    )


@pytest.mark.parametrize("layout", ["records", "samples"])
def test_samples_read_as_they_were(version, layout):
    expected = json.loads((version / f"{layout}.json").read_text("utf-8"))
    for split in Manifest.read(version / layout).splits:
        samples = [sample for sample in expected if sample["split"] == split]
        dataset = LatentDataset(version / layout, split)
        assert len(dataset) == len(samples) > 0
        for index, sample in enumerate(samples):
            latents, label = dataset[index]
            assert latents.tolist() == np.reshape(sample["latents"], sample["shape"]).tolist()
            assert label == sample["label"]
            assert dataset.fields(index).items() >= {k: sample[k] for k in ("key", "size", "original_size")}.items()
        stream = StreamingLatentDataset(version / layout, split, batch_size=3, shuffle=False)
        assert [label for _, labels in stream for label in labels.tolist()] == [sample["label"] for sample in samples]


@pytest.mark.parametrize("layout", ["records", "samples"])
def test_what_is_finished_is_known_as_complete(version, layout):
    before = made(version / layout)
    assert shard(version, version / layout, layout=layout).written == 0
    assert made(version / layout) == before
    with pytest.raises(DatasetError, match="another dataset, or one made with other options"):
        shard(version, version / layout, layout=layout, seed=1)


def test_an_interrupted_run_is_gone_on_with(version):
    out, whole = version / "interrupted", version / "records"
    journal = out / ".walloc-journal.jsonl"
    journal.write_text(journal.read_text("utf-8").replace("SOURCE", str((version / "source").resolve())), "utf-8")
    first = (out / "train-00000.tar").stat()
    summary = shard(version, out)
    assert summary.written == 10
    assert (out / "train-00000.tar").stat() == first
    found, expected = made(out), made(whole)
    assert {name: data for name, data in found.items() if name not in ("README.md", "walloc.json")} == {
        name: data for name, data in expected.items() if name != "walloc.json"
    }
    assert Manifest.read(out).summary == Manifest.read(whole).summary
