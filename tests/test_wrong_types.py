"""What a hurried person hands over: another type, a URL for a folder, one file for many. One sentence each."""

import re

import numpy as np
import pytest
import torch

from walloc_data import (
    LatentDataset,
    Options,
    StorageOptions,
    fit,
    load_codec,
    merge_datasets,
    read_list,
    shard_dataset,
    write_report,
)
from walloc_data.errors import CodecError, DatasetError, SourceError, WallocError
from walloc_data.transforms import RandomCrop, RandomFlip

LATENTS = np.zeros((1, 12, 2, 2), np.int8)
WRONG = {
    "options in a mapping": (lambda d, p: shard_dataset(p, "o", options={"limit": 2}), "options are Options(limit="),
    "a reader by name": (
        lambda d, p: shard_dataset(p, "o", reader="image"),
        "such as ImageReader(size=256), not 'image'",
    ),
    "no codec": (lambda d, p: shard_dataset(p, "o", codec=None), "a codec is a name of the zoo or a path, not None"),
    "no folder to write": (lambda d, p: shard_dataset(p, None), "a folder or a URL, not to None"),
    "a URL to write": (lambda d, p: shard_dataset(p, "https://ann/a"), "https://ann/a: a web server cannot"),
    "one file": (
        lambda d, p: shard_dataset(p / "train/flower/000.jpg", "o"),
        "is one sample: give the folder it lies in",
    ),
    "splits of folders": (lambda d, p: shard_dataset({"train": p, "val": p}, "o"), "a mapping of splits is to lists"),
    "a list that is not": (lambda d, p: read_list("photos.csv"), "photos.csv is not there: check the path"),
    "a folder for a list": (lambda d, p: read_list(p), "is no list: lists are files of .csv"),
    "storage by name": (lambda d, p: LatentDataset(d, storage="cache"), "storage is StorageOptions(cache_dir="),
    "a transform by name": (
        lambda d, p: LatentDataset(d, transform="flip"),
        "transform is a function of x, not 'flip'",
    ),
    "a label's transform": (lambda d, p: LatentDataset(d, target_transform=3), "is a function of a label, not 3"),
    "a column that is not": (
        lambda d, p: LatentDataset(d, where=lambda fields: fields["lable"] == 1),
        "where: no column lable: there are key, label, original_size, size",
    ),
    "a sample by name": (lambda d, p: LatentDataset(d).fields("a"), "index='a' is not a whole number"),
    "no columns": (lambda d, p: LatentDataset(d, columns=None), "columns are names, ('label', 'key'), or a mapping"),
    "columns in no order": (lambda d, p: LatentDataset(d, columns={"label", "key"}), "columns are names, ('label', "),
    "a number of columns": (lambda d, p: Options(columns=2), "columns are names of fields, ('label', 'caption')"),
    "nothing to merge": (
        lambda d, p: merge_datasets(None, "o"),
        "several datasets are merged, and these are not: None",
    ),
    "no page": (lambda d, p: write_report(d, None), "a page is written to a file, such as report.html, not to None"),
    "no name of a codec": (lambda d, p: load_codec(None), "not None"),
    "a folder of the cache": (lambda d, p: StorageOptions(cache_dir=3), "cache_dir=3 is not the path of a folder"),
    "a comparison by `is`": (
        lambda d, p: LatentDataset(d, where="key is 'train/cat/1.jpg'"),
        "asks with `is` for another value than None: write == or !=",
    ),
    "steps as a text": (lambda d, p: load_codec("rgb-f8c12").coarser("2"), "coarser(2): steps are multiplied by a"),
    "latents of numpy": (lambda d, p: load_codec("rgb-f8c12").dequantize(LATENTS), "latents as tensors, not ndarray"),
    "one number for a size": (
        lambda d, p: load_codec("rgb-f8c12").decode(torch.from_numpy(LATENTS), size=16),
        "size 16 is not a whole number for each axis of space",
    ),
    "a codec by name": (lambda d, p: RandomFlip("rgb-f8c12"), "by their codec, such as dataset.codec, not 'rgb-f8c12'"),
    "a dataset for a codec": (lambda d, p: RandomCrop(LatentDataset(d), 2), "by their codec, such as dataset.codec"),
    "several axes": (
        lambda d, p: RandomFlip(load_codec("rgb-f8c12"), axis=(1, 2)),
        "axis=(1, 2) is not a whole number",
    ),
    "latents of numpy to crop": (
        lambda d, p: RandomCrop(load_codec("rgb-f8c12"), 1)(LATENTS),
        "latents are a tensor, or a list of them, not ndarray",
    ),
    "channels as a text": (lambda d, p: fit([], channels="12"), "channels='12' is not a whole number"),
}


@pytest.mark.parametrize("name", WRONG)
def test_it_is_one_sentence(name, dataset, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, message = WRONG[name]
    with pytest.raises(WallocError, match=re.escape(message)) as caught:
        call(dataset, photos)
    assert isinstance(caught.value, CodecError | DatasetError | SourceError)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_differs_is_told_in_few_words(photos, tmp_path, sharded):
    out = sharded(photos, tmp_path / "out", limit=1)
    many = {"train": [(path, {"label": f"class {n:04d}"}) for n, path in enumerate(photos.rglob("*.jpg"))]}
    with pytest.raises(DatasetError, match="classes was") as caught:
        shard_dataset(many, out, options=Options(limit=1))
    assert len(str(caught.value)) < 600


def test_a_function_of_columns_may_fail_as_it_likes(dataset):
    with pytest.raises(KeyError, match="mine"):
        LatentDataset(dataset, where=lambda fields: {}[f"mine {fields['label']}"])


def test_columns_may_come_from_an_iterator(dataset):
    assert len(LatentDataset(dataset, columns=iter(["label", "key"]))[0]) == 3
    assert Options(columns=iter(["label"])).columns == ("label",)
