"""What a hurried person hands over: another type, a URL for a folder, one file for many. One sentence each."""

import re

import pytest

from walloc_data import LatentDataset, Options, fit, load_codec, read_list, shard_dataset
from walloc_data.errors import CodecError, DatasetError, SourceError, WallocError

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
    "no name of a codec": (lambda d, p: load_codec(None), "not None"),
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
