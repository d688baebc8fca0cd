import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from tests.photographs import window
from tests.sources.test_lists import listed
from walloc_data import ImageReader, LatentDataset, Options, open_source, shard_dataset
from walloc_data.errors import DatasetError, SampleError, SourceError

COUNT = 5
IMAGES = [window("chelsea", number, (32, 24)) for number in range(COUNT)]
PIXELS = np.stack([np.asarray(image) for image in IMAGES])  # [N, H, W, C]


def opened(samples):
    return open_source(samples, suffixes=ImageReader.suffixes)


def encoded(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class Labelled(Dataset):
    classes = ("cat", "dog")

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        return torch.from_numpy(PIXELS[index]).permute(2, 0, 1) / 255, torch.tensor(index % 2)


@pytest.fixture
def paths(tmp_path):
    for number, image in enumerate(IMAGES):
        image.save(tmp_path / f"{number}.png")
    return [tmp_path / f"{number}.png" for number in range(COUNT)]


KINDS = {
    "bytes": lambda: [encoded(image) for image in IMAGES],
    "views of bytes": lambda: [memoryview(encoded(image)) for image in IMAGES],
    "images": lambda: IMAGES,
    "arrays": lambda: list(PIXELS),
    "an array": lambda: PIXELS,
    "channels first": lambda: PIXELS.transpose(0, 3, 1, 2),
    "floats": lambda: PIXELS.astype(np.float32) / 255,
    "a tensor": lambda: torch.from_numpy(PIXELS).permute(0, 3, 1, 2),
    "a tensor that learns": lambda: (torch.from_numpy(PIXELS).permute(0, 3, 1, 2) / 255).requires_grad_(),
    "a dataset": lambda: Labelled(),
    "part of a dataset": lambda: Subset(Labelled(), range(COUNT)),
    "a dataset of tensors": lambda: TensorDataset(torch.from_numpy(PIXELS)),
    "pairs": lambda: tuple(zip(PIXELS, range(COUNT), strict=True)),
    "bytes in a mapping": lambda: [{"image": {"bytes": encoded(image), "path": None}} for image in IMAGES],
}


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_sample_is_its_pixels_are_the_same(kind):
    split = opened(KINDS[kind]()).splits["train"]
    reader = ImageReader(size=None, crop="none")
    for index in range(COUNT):
        raw = split[index]
        np.testing.assert_array_equal(reader.read(raw.data, raw.name).values, PIXELS[index].transpose(2, 0, 1))
    assert [split.key(index) for index in (0, 4)] == ["00000000", "00000004"]


def test_paths_are_read_and_name_their_samples(paths):
    for one in (paths, list(map(str, paths)), [{"path": path} for path in paths]):
        split = opened(one).splits["train"]
        assert split[1].data == paths[1].read_bytes()
        assert split[1].name == str(paths[1])
        assert split.stamp(1) == f"{paths[1].stat().st_size}:{paths[1].stat().st_mtime_ns}"


def test_fields(paths):
    fields = {"caption": "x", "boxes": [[1, 2]], "score": torch.tensor(0.5), "tags": torch.tensor([1, 0])}
    mask = Image.new("1", (3, 2))
    samples = [
        (paths[0], fields),
        {"image": IMAGES[0], "path": "kept", "mask": mask, "latents": 1, "size": 2},
        (paths[1], 3),
        (paths[2],),
    ]
    split = opened(samples).splits["train"]
    first = split[0].fields
    assert (first["caption"], first["boxes"], first["score"]) == ("x", [[1, 2]], 0.5)
    np.testing.assert_array_equal(first["tags"], [1, 0])
    second = split[1].fields
    assert (second["path"], second["mask"].shape, second["mask"].dtype) == ("kept", (2, 3), np.bool_)
    assert (split[2].fields, split[3].fields) == ({"label": 3}, {})


def test_fields_called_as_ours_are_kept_beside_them(codec, tmp_path):
    samples = [{"image": image, "latents": 1, "size": "big", "key": f"k{n}"} for n, image in enumerate(IMAGES)]
    shard_dataset(samples, tmp_path / "out", codec=codec, reader=ImageReader(size=16))
    fields = LatentDataset(tmp_path / "out").fields(0)
    assert (fields["latents_"], fields["size_"], fields["size"]) == (1, "big", [16, 16])
    assert fields["key"].startswith("k")


def test_splits_and_classes(paths):
    source = opened({"train": [(paths[0], "dog"), (paths[1], "cat")], "val": [{"image": paths[2], "label": "eel"}]})
    assert source.classes == {"label": ["cat", "dog", "eel"]}
    assert listed(source) == {
        "train": [("train/00000000", {"label": 1}), ("train/00000001", {"label": 0})],
        "val": [("val/00000000", {"label": 2})],
    }
    assert opened(Subset(Labelled(), [0, 1])).classes == {"label": ["cat", "dog"]}
    assert listed(opened([(paths[0], 7), (paths[1], 3)]))["train"] == [
        ("00000000", {"label": 7}),
        ("00000001", {"label": 3}),
    ]


def test_keys(paths):
    samples = [{"image": paths[0], "key": "a"}, {"image": paths[0], "key": 2}, (paths[1], 1)]
    split = opened(samples).splits["train"]
    assert [split.key(index) for index in range(3)] == ["a", "2", "00000002"]
    with pytest.raises(SourceError, match="1 samples have the key of another, such as 'a': each needs its own"):
        opened({"train": samples, "val": samples[:1]})


def test_stamps_and_digests_change_with_samples():
    changed = PIXELS.copy()
    changed[2, 0, 0, 0] ^= 1
    for make in (list, lambda values: values, lambda values: list(map(Image.fromarray, values))):
        one, other = opened(make(PIXELS)).splits["train"], opened(make(changed)).splits["train"]
        assert [one.stamp(i) == other.stamp(i) for i in range(COUNT)] == [True, True, False, True, True]
        assert one.digest() == other.digest() != opened(make(PIXELS[:4])).splits["train"].digest()
    tags = [opened([(PIXELS[0], {"tags": np.array([n])})]).digest() for n in (0, 1, 0)]
    assert tags[0] == tags[2] != tags[1]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ((n for n in range(3)), r"generator has no length and no \[i\].*give list\(\.\.\.\) of it.*write its samples"),
        ({"train": iter([1])}, r"list_iterator has no length"),
        ({1, 2}, r"set has no length and no \[i\]"),
        (None, "NoneType is no source: give the path of a folder or of a list, a list of samples, or a dataset"),
        (b"bytes", "bytes is no source"),
        (7, "int is no source"),
        ([], "list holds no samples"),
        ({"train": [1], "val": []}, "val holds no samples"),
        ({}, "a mapping is taken for splits by name"),
        ({3: []}, "a mapping is taken for splits by name"),
    ],
)
def test_no_samples_to_plan(samples, message):
    with pytest.raises(SourceError, match=message):
        opened(samples)


def test_a_stream_of_torch_is_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([])

    with pytest.raises(SourceError, match="Stream"):
        opened(Stream())


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"pixels": 1, "label": 2}, r"list\[0\]: a mapping of pixels, label: call what is to be encoded one of image,"),
        ((1, 2, 3), r"list\[0\]: 3 values: a sample is \(data, label\)"),
        ("absent.png", r"absent\.png: there is no such file"),
        (torch.zeros(2).to_sparse(), r"list\[0\]: TypeError"),
    ],
)
def test_a_sample_that_is_none(sample, message):
    split = opened([sample]).splits["train"]
    with pytest.raises(SampleError, match=message):
        split[0]
    assert split.digest()


def test_what_a_dataset_raises_costs_one_sample(codec, tmp_path):
    class Damaged(Labelled):
        def __getitem__(self, index):
            if index == 2:
                raise RuntimeError("a bad line")
            return super().__getitem__(index)

    done = shard_dataset(Damaged(), tmp_path / "out", codec=codec, reader=ImageReader(size=16))
    assert (done.samples, done.skipped) == (COUNT - 1, 1)
    said = (tmp_path / "out" / "errors.jsonl").read_text()
    assert "00000002" in said
    assert "Damaged[2]: RuntimeError: a bad line" in said


def test_workers_take_what_can_be_pickled(codec, tmp_path):
    options, reader = Options(shard_samples=2, block=1), ImageReader(size=16)
    samples = [(image, "x") for image in IMAGES]
    for workers in (1, 2):
        shard_dataset(samples, tmp_path / str(workers), codec=codec, reader=reader, options=options, workers=workers)
    one, two = LatentDataset(tmp_path / "1"), LatentDataset(tmp_path / "2")
    assert all(torch.equal(x, u) and y == v for (x, y), (u, v) in zip(one, two, strict=True))

    class Local(Labelled):
        pass

    with pytest.raises(DatasetError, match=r"cannot be sent to other processes.*workers=1"):
        shard_dataset(Local(), tmp_path / "local", codec=codec, reader=reader, options=options, workers=2)


def test_columns():
    labels = ["cat", "dog", "cat", "eel", "dog"]
    pandas = pytest.importorskip("pandas")
    tables = ({"image": PIXELS, "label": labels}, pandas.DataFrame({"image": list(PIXELS), "label": labels}))
    for table in tables:
        source = opened(table)
        assert source.classes == {"label": ["cat", "dog", "eel"]}
        split = source.splits["train"]
        assert [split[index].fields for index in range(COUNT)] == [{"label": n} for n in (0, 1, 0, 2, 1)]
        np.testing.assert_array_equal(split[3].data, PIXELS[3])
        assert split.stamp(3)
        assert source.digest() != opened({"image": PIXELS, "label": labels[::-1]}).digest()
    named = opened({"train": (PIXELS, np.array(labels)), "val": {"image": PIXELS, "label": labels}})
    assert named.classes == {"label": ["cat", "dog", "eel"]}
    assert named.splits["train"][4].fields == named.splits["val"][4].fields == {"label": 1}
    pair = opened((PIXELS, np.arange(COUNT))).splits["train"]
    assert [pair[index].fields for index in range(COUNT)] == [{"label": n} for n in range(COUNT)]
    assert len(opened((PIXELS[0], PIXELS[1])).splits["train"]) == 2
    assert [opened({"path": ["a", "b"], "key": ["x", "y"]}).splits["train"].key(n) for n in (0, 1)] == ["x", "y"]
    with pytest.raises(SourceError, match=r"columns of samples are of one length each, not \{'image': 5, 'label': 4\}"):
        opened({"image": PIXELS, "label": labels[:4]})
    with pytest.raises(SourceError, match=r"a table of a, label: call the column of what is to be encoded one of"):
        opened(pandas.DataFrame({"a": [1], "label": [2]}))


def test_what_pandas_calls_missing_is_missing():
    pandas = pytest.importorskip("pandas")
    nan = float("nan")
    columns = {
        "label": ["dog", nan, "cat", None, "dog"],
        "caption": ["a", None, nan, "d", "e"],
        "count": pandas.array([1, None, 3, 4, 5], dtype="Int64"),
        "when": pandas.to_datetime(["2020-01-01", None, "2020-01-03", "2020-01-04", "2020-01-05"]),
        "score": [0.5, nan, 1, 2, 3],
    }
    table = pandas.DataFrame({"image": list(PIXELS), **columns})
    for source in (opened(table), opened(table.to_dict("records"))):
        assert source.classes == {"label": ["cat", "dog"]}
        fields = [source.splits["train"][index].fields for index in range(COUNT)]
        assert [one["label"] for one in fields] == [1, -1, 0, -1, 1]
        assert [one["count"] for one in fields] == [1, None, 3, 4, 5]
        assert fields[1]["when"] is None
        assert [one["score"] for one in fields][::2] == [0.5, 1, 3]
        assert np.isnan(fields[1]["score"])
    fields = [opened(table).splits["train"][index].fields for index in range(COUNT)]
    assert [one["caption"] for one in fields] == ["a", None, None, "d", "e"]


def test_arrays_that_are_no_pixels():
    for array in (PIXELS[0].astype(np.int64), PIXELS[0].astype(np.uint16), PIXELS[0, ..., 0].astype(np.int32)):
        with pytest.raises(SampleError, match=rf"here: an array of {array.dtype}: pixels are uint8"):
            ImageReader().read(array, "here")
    with pytest.raises(SampleError, match="floating-point pixels are not in 0 to 1"):
        ImageReader().read(PIXELS[0].astype(np.float32), "here")
    with pytest.raises(SampleError, match=r"an array of shape \[3\] is no image"):
        ImageReader().read(np.zeros(3, np.uint8), "here")
    ImageReader(channels=1).read(PIXELS[0, ..., 0].astype(np.uint16), "here")


def test_a_sample_that_changes_costs_its_shard(codec, tmp_path):
    options, reader = Options(shard_samples=2, block=1), ImageReader(size=16)
    pixels = PIXELS.copy()
    shard_dataset(pixels, tmp_path / "out", codec=codec, reader=reader, options=options)
    assert shard_dataset(pixels, tmp_path / "out", codec=codec, reader=reader, options=options).written == 0
    pixels[1] = pixels[0]
    again = shard_dataset(pixels, tmp_path / "out", codec=codec, reader=reader, options=options)
    assert again.written in (1, 2)
    latents = {key: x for x, key in LatentDataset(tmp_path / "out", columns=("key",))}
    assert torch.equal(latents["00000001"], latents["00000000"])
