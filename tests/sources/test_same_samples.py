"""The same samples, however they are stored, become the same dataset."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.photographs import contents, window
from tests.sources.archives import members_of, write_tar
from tests.sources.as_lists import as_csv, as_jsonl, as_mappings, as_metadata, as_pairs
from tests.sources.as_tables import as_dataset, as_parquet, as_saved
from walloc_data import ImageReader, LatentDataset, StreamingLatentDataset
from walloc_data.sources import open_source


def as_tars(photos: Path, root: Path) -> Path:
    for split in ("train", "val"):
        members = members_of(photos, split)
        half = len(members) // 4 * 2
        write_tar(root / f"{split}-000.tar", members[:half])
        write_tar(root / f"{split}-001.tar", members[half:])
    return root


def as_object(photos: Path, root: Path) -> Any:
    return as_dataset(photos).with_format("torch")


STORED = (as_tars, as_parquet, as_saved, as_object, as_jsonl, as_csv, as_mappings)


@pytest.mark.parametrize("stored", STORED, ids=lambda stored: stored.__name__)
def test_shards_are_those_of_the_folder(
    stored: Callable[[Path, Path], Any], photos: Path, dataset: Path, sharded: Callable[..., Path], tmp_path: Path
) -> None:
    out = contents(sharded(stored(photos, tmp_path / "stored"), tmp_path / "out"))
    assert {name for name in out if name.endswith(".tar")}
    expected = contents(dataset)
    for name in out:
        if name.endswith((".tar", ".idx", ".safetensors")):
            assert out[name] == expected[name], name


@pytest.mark.parametrize("stored", [as_pairs, as_metadata], ids=lambda stored: stored.__name__)
def test_samples_are_those_of_the_folder_where_keys_are_others(
    stored: Callable[[Path, Path], Any], photos: Path, dataset: Path, sharded: Callable[..., Path], tmp_path: Path
) -> None:
    out = sharded(stored(photos, tmp_path / "stored"), tmp_path / "out")
    for split in ("train", "val"):
        found, expected = LatentDataset(out, split), LatentDataset(dataset, split)
        assert found.classes == expected.classes
        assert found.targets == expected.targets
        assert all(torch.equal(x, u) for (x, _), (u, _) in zip(found, expected, strict=True))


def captioned(root: Path) -> Path:
    """Six photographs in two tars, with captions, boxes, tags (a vector), a score and a mask each."""
    for tar in range(2):
        members = []
        for number in range(3 * tar, 3 * tar + 3):
            image, mask, tags = io.BytesIO(), io.BytesIO(), io.BytesIO()
            window("chelsea", number, (64, 64)).save(image, "JPEG")
            window("chelsea", number, (8, 8)).convert("1").save(mask, "PNG")
            np.save(tags, np.array([number % 2, 1, 0], np.uint8))
            facts = {"boxes": [[number, 1, 2, 3]] * number, "score": number / 4}
            members += [
                (f"{number:03d}.jpg", image.getvalue()),
                (f"{number:03d}.txt", f"cat {number}".encode()),
                (f"{number:03d}.json", json.dumps(facts).encode()),
                (f"{number:03d}.tags.npy", tags.getvalue()),
                (f"{number:03d}.mask.png", mask.getvalue()),
            ]
        write_tar(root / f"train-{tar:03d}.tar", members)
    return root


def test_every_field_of_tars_arrives_in_batches_of_both_doors(sharded: Callable[..., Path], tmp_path: Path) -> None:
    source = open_source(captioned(tmp_path / "tars"), suffixes=ImageReader.suffixes)
    out = sharded(tmp_path / "tars", tmp_path / "out")
    names = ("key", "txt", "boxes", "score", "tags.npy", "mask.png")
    dataset = LatentDataset(out, columns=names)
    stream = StreamingLatentDataset(out, batch_size=6, shuffle=False, columns=names)
    batch = next(iter(stream))
    for _, keys, texts, boxes, scores, tags, masks in (batch, _collated(dataset)):
        for place, key in enumerate(keys):
            number = int(key[-7:-4])
            assert texts[place] == f"cat {number}"
            assert boxes[place] == [[number, 1, 2, 3]] * number
            assert float(scores[place]) == number / 4
            assert tags[place].tolist() == [number % 2, 1, 0]
            assert masks[place] == source.splits["train"][number].fields["mask.png"]
    assert dataset.fields(0).keys() >= set(names)


def _collated(dataset: LatentDataset) -> list[list[Any]]:
    return [list(column) for column in zip(*(dataset[index] for index in range(len(dataset))), strict=True)]
