"""What both doors share: columns, dicts, prefixes of channels, decoding, and what type a batch is."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset

from tests.http_server import FileServer
from tests.synthetic import sharded
from walloc_data import Codec, LatentDataset, StorageOptions, StreamingLatentDataset, latent_decoder, load_codec
from walloc_data.errors import DatasetError, FormatError
from walloc_data.format import Record, read_index
from walloc_data.transforms import CenterCrop, RandomCrop, RandomFlip, flip

COUNT = 52
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture(scope="module")
def rich() -> Codec:
    return load_codec("rgb-f8c48")


@pytest.fixture(scope="module", params=["rans", "zstd"])
def many(request, rich, tmp_path_factory) -> Path:
    """48 channels, and columns of every kind."""
    rng = np.random.default_rng(1)
    columns = {
        "label": rng.integers(0, 9, COUNT).astype(np.int32),
        "tags": rng.random((COUNT, 5)) < 0.3,
        "score": rng.random(COUNT).astype(np.float32),
        "target": rng.random((COUNT, 2, 3)).astype(np.float16),
        "caption": [f"number {i}" for i in range(COUNT)],
        "boxes": [[[i, j, 1, 2] for j in range(i % 3)] for i in range(COUNT)],
        "mask": [bytes(range(i)) for i in range(COUNT)],
    }
    out = tmp_path_factory.mktemp("many") / request.param
    return sharded(out, rich, columns, (45, 62), coder=request.param)


NAMES = ("label", "tags", "score", "target", "caption", "boxes", "mask")


def check_batch(batch, first):
    x, label, tags, score, target, caption, boxes, mask = batch
    assert (x.dtype, label.dtype, tags.dtype) == (torch.int8, torch.int64, torch.bool)
    assert (score.dtype, target.dtype) == (torch.float64, torch.float16)
    assert (label.shape, tags.shape, score.shape, target.shape) == ((10,), (10, 5), (10,), (10, 2, 3))
    assert caption == [f"number {i}" for i in range(first, first + 10)]
    assert boxes == [[[i, j, 1, 2] for j in range(i % 3)] for i in range(first, first + 10)]
    assert mask == [bytes(range(i)) for i in range(first, first + 10)]


@pytest.mark.parametrize("workers", [0, 2])
def test_columns_of_every_kind_are_alike_at_both_doors(many, workers):
    stream = StreamingLatentDataset(many, batch_size=10, shuffle=False, columns=NAMES)
    dataset = LatentDataset(many, columns=NAMES)
    loader = DataLoader(dataset, batch_size=10, num_workers=workers)
    batches = list(zip(stream.loader(num_workers=workers), loader, strict=True))
    assert len(batches) == 6
    for number, (one, other) in enumerate(batches[:5]):
        check_batch(one, 10 * number)
        check_batch(other, 10 * number)
        for a, b in zip(one, other, strict=True):
            assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
    sample = dataset[3]
    assert type(sample[1]) is int
    assert (sample[3].dtype, sample[3].shape) == (torch.float64, ())
    assert sample[5] == "number 3"


def test_types_are_those_of_the_dataset_whatever_a_record_holds(codec, tmp_path):
    """Records of one sample, which alone look like arrays."""
    columns = {
        "boxes": [[[1, 2, 3, 4]] * (1 + i % 2) for i in range(20)],
        "wide": [np.array([1], np.int8)] * 10 + [np.array([70_000], np.int32)] * 10,
        "year": [1990 if i < 15 else None for i in range(20)],
        "label": [i if i < 15 else None for i in range(20)],
    }
    out = sharded(tmp_path / "out", codec, columns, (45, 62), block=1)
    names = ("boxes", "wide", "year", "label")
    stream = StreamingLatentDataset(out, batch_size=2, shuffle=False, columns=names)
    for number, (_, boxes, wide, year, label) in enumerate(stream):
        there = slice(2 * number, 2 * number + 2)
        assert (boxes, year) == (columns["boxes"][there], columns["year"][there])
        assert (wide.dtype, label.dtype) == (torch.int32, torch.int64)
        assert wide.tolist() == columns["wide"][there]
        assert label.tolist() == [-1 if value is None else value for value in columns["label"][there]]
    dataset = LatentDataset(out, columns=names)
    for i, (_, boxes, wide, year, label) in enumerate(dataset):
        assert (boxes, year, wide.dtype) == (columns["boxes"][i], columns["year"][i], torch.int32)
        assert label == (-1 if i >= 15 else i)
    for make in (LatentDataset, lambda *args, **options: StreamingLatentDataset(*args, batch_size=2, **options)):
        with pytest.raises(DatasetError, match="no column colour: there are label, boxes, wide, year, size"):
            make(out, columns=("colour",))


def test_a_mapping_gives_dicts(many):
    columns = {"pixel_values": "latents", "labels": "label", "tags": "tags", "same": "label"}
    stream = StreamingLatentDataset(many, batch_size=10, shuffle=False, columns=columns)
    dataset = LatentDataset(many, columns=columns, target_transform=lambda y: y + 1)
    batch, other = next(iter(stream)), next(iter(DataLoader(dataset, batch_size=10)))
    assert list(batch) == list(other) == list(columns)
    assert torch.equal(batch["pixel_values"], other["pixel_values"])
    assert torch.equal(batch["labels"] + 1, other["labels"])
    assert torch.equal(batch["tags"], other["tags"])
    assert list(dataset[0]) == list(columns)
    assert [list(b) for b in stream.loader(num_workers=1)] == [list(columns)] * 6


def test_columns_alone_decode_no_latents(many, tmp_path):
    copied = tmp_path / "copy"
    copied.mkdir()
    for path in many.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    for path in copied.glob("*.tar"):
        data = bytearray(path.read_bytes())
        for offset, size, _ in read_index(path.with_suffix(".idx"))[0].tolist():
            for start, length in Record.parse(data, offset=offset, size=size, where="").segments.tolist():
                data[start : start + length] = bytes(length)
        path.write_bytes(data)
    with pytest.raises(FormatError):
        LatentDataset(copied)[0]
    dataset = LatentDataset(copied, columns={"y": "label"})
    assert [dataset[i]["y"] for i in range(COUNT)] == LatentDataset(many).targets
    assert torch.cat([b["y"] for b in StreamingLatentDataset(copied, batch_size=9, columns={"y": "label"})]).shape == (
        52,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": "label"}, r"columns=\('label',\)"),
        ({"columns": ("latents", "label")}, "latents come first by themselves"),
        ({"columns": {}}, "columns are names"),
        ({"columns": {"x": 3}}, "columns are names"),
        ({"columns": (1,)}, "columns are names"),
        ({"decode": "jpeg"}, "decode='jpeg' is not one of"),
        ({"channels": 49}, "has 48 channels: take 1 to 48"),
        ({"channels": 0}, "has 48 channels: take 1 to 48"),
    ],
)
def test_what_neither_door_takes(many, options, message):
    for make in (lambda: LatentDataset(many, **options), lambda: StreamingLatentDataset(many, batch_size=4, **options)):
        with pytest.raises(ValueError, match=message):
            make()


def test_columns_that_are_not_there(many):
    for columns in (("label", "colour"), {"x": "latents", "y": "colour"}):
        for read in (
            lambda c=columns: LatentDataset(many, columns=c)[0],
            lambda c=columns: next(iter(StreamingLatentDataset(many, batch_size=4, columns=c))),
        ):
            with pytest.raises(DatasetError, match="no column colour: there are label, tags, score"):
                read()


def test_a_prefix_of_channels_is_that_of_the_whole(many, rich):
    whole, few = LatentDataset(many), LatentDataset(many, channels=12)
    assert (few.codec.channels, whole.codec.channels) == (12, 48)
    numbers = [3, 51, 0, 20, 3]
    for (x, y), (u, v) in zip(whole.__getitems__(numbers), few.__getitems__(numbers), strict=True):
        assert torch.equal(x[:12], u)
        assert y == v
    batches = [StreamingLatentDataset(many, batch_size=10, seed=2, channels=k) for k in (None, 12)]
    for (x, y), (u, v) in zip(*batches, strict=True):
        assert torch.equal(x[:, :12], u)
        assert torch.equal(y, v)
        assert torch.equal(batches[1].codec.dequantize(u), rich.dequantize(x)[:, :12])
        assert torch.equal(RandomFlip(batches[1].codec, p=1.0)(u), flip(x, rich)[:, :12])
    signal = LatentDataset(many, channels=12, decode="signal")[4][0]
    torch.testing.assert_close(signal, few.codec.decode(few[4][0][None], size=(45, 62))[0])
    assert LatentDataset(many, channels=48)[4][0].shape[0] == 48
    assert torch.equal(pickle.loads(pickle.dumps(few))[4][0], few[4][0])


def test_other_readers_take_a_prefix(many):
    entries = read_index(many / "train-00000.idx")[0]
    offset, size, samples = entries[0].tolist()
    record = (many / "train-00000.tar").read_bytes()[offset : offset + size]
    found = latent_decoder(many, channels=12)(".wlc", record)
    whole = LatentDataset(many)
    assert len(found) == samples
    assert all(torch.equal(one["latents"], whole[i][0][:12]) for i, one in enumerate(found))


@pytest.mark.parametrize("decode", ["float", "signal", "pixels"])
def test_both_doors_decode_alike(many, rich, decode):
    stream = StreamingLatentDataset(many, batch_size=10, shuffle=False, decode=decode)
    dataset = LatentDataset(many, decode=decode)
    latents = LatentDataset(many)
    for number, (x, _) in enumerate(stream):
        there = range(10 * number, min(COUNT, 10 * number + 10))
        alone = torch.stack([dataset[i][0] for i in there])
        torch.testing.assert_close(x, alone)
        z = torch.stack([latents[i][0] for i in there])
        expected = rich.dequantize(z) if decode == "float" else rich.decode(z, size=(45, 62))
        torch.testing.assert_close(x, expected)


class TestRagged:
    def test_x_is_a_list_whatever_the_batch(self, ragged_dataset):
        for size in (1, 2, 12):
            for x, _ in StreamingLatentDataset(ragged_dataset, batch_size=size):
                assert isinstance(x, list)
                assert all(z.dim() == 3 for z in x)

    def test_crops_make_batches_and_flips_lists(self, ragged_dataset, codec):
        for crop in (RandomCrop(codec, 4), CenterCrop(codec, 4)):
            for size in (1, 5):
                for x, _ in StreamingLatentDataset(ragged_dataset, batch_size=size, transform=crop):
                    assert x.shape[1:] == (12, 4, 4)
        plain = StreamingLatentDataset(ragged_dataset, batch_size=5)
        flipped = StreamingLatentDataset(ragged_dataset, batch_size=5, transform=RandomFlip(codec, p=1.0))
        for (x, _), (u, _) in zip(plain, flipped, strict=True):
            assert all(torch.equal(flip(a, codec), b) for a, b in zip(x, u, strict=True))

    def test_signals_are_lists_of_their_sizes(self, ragged_dataset):
        sizes = [tuple(LatentDataset(ragged_dataset).fields(i)["size"]) for i in range(12)]
        [(x, _)] = StreamingLatentDataset(ragged_dataset, batch_size=12, shuffle=False, decode="signal")
        assert [tuple(signal.shape[1:]) for signal in x] == sizes
        dataset = LatentDataset(ragged_dataset, decode="signal")
        for one, (other, _) in zip(x, dataset, strict=True):
            torch.testing.assert_close(one, other)
        [buckets] = StreamingLatentDataset(ragged_dataset, batch_size=12, decode="signal", buckets=True)
        assert sorted(tuple(s.shape[1:]) for s, _ in buckets for s in s) == sorted(sizes)

    def test_uniform_datasets_give_tensors(self, dataset):
        for x, _ in StreamingLatentDataset(dataset, batch_size=1):
            assert isinstance(x, torch.Tensor)

    def test_a_loader_collates_them(self, ragged_dataset):
        dataset = LatentDataset(ragged_dataset, columns=("label", "key"))
        for options in ({}, {"collate_fn": LatentDataset.collate}):
            [(x, y, keys)] = DataLoader(Subset(dataset, range(12)), batch_size=12, **options)
            assert isinstance(x, list)
            assert y.tolist() == [-1] * 12
            assert keys == [key for key, _ in dataset.samples]
        named = LatentDataset(ragged_dataset, columns={"pixel_values": "latents", "labels": "label"})
        [batch] = DataLoader(named, batch_size=12)
        assert [x.shape for x in batch["pixel_values"]] == [x.shape for x, *_ in dataset]
        assert (type(named[0]["pixel_values"]), batch["labels"].tolist()) == (torch.Tensor, [-1] * 12)


@pytest.mark.parametrize("name", ["RandomHorizontalFlip", "RandomRotation"])
def test_flips_of_pixels_are_refused_for_latents(many, codec, name):
    wrong = type(name, (), {"__module__": "torchvision.transforms.transforms", "__call__": lambda _, x: x})()
    compose = type("Compose", (), {"__module__": "torchvision.transforms.transforms", "__call__": lambda _, x: x})()
    compose.transforms = [torch.nn.Identity(), wrong]
    for transform in (wrong, compose):
        for decode in ("latents", "float"):
            with pytest.raises(DatasetError, match=rf"torchvision's {name} is for signals"):
                LatentDataset(many, transform=transform, decode=decode)
            with pytest.raises(DatasetError, match=rf"torchvision's {name} is for signals"):
                StreamingLatentDataset(many, batch_size=4, transform=transform, decode=decode)
        assert LatentDataset(many, transform=transform, decode="pixels")
    assert LatentDataset(many, transform=torch.nn.Sequential(torch.nn.Identity()))
    assert LatentDataset(many, transform=lambda x: wrong(x))


def test_samples_and_imgs_are_those_of_an_image_folder(dataset):
    train = LatentDataset(dataset)
    assert train.samples == train.imgs == [(train.fields(i)["key"], train[i][1]) for i in range(len(train))]


def test_a_transform_in_the_place_of_the_split(dataset):
    with pytest.raises(DatasetError, match=r"a transform is given as transform="):
        LatentDataset(dataset, lambda x: x)


def test_a_path_that_ends_in_a_split(dataset, tmp_path):
    with pytest.raises(
        FormatError, match=rf"{dataset}/val is not there: check the path.*'val' a split of it: open it with split='val'"
    ):
        LatentDataset(f"{dataset}/val/")
    with pytest.raises(FormatError, match=r"/test is not there: check the path$"):
        LatentDataset(dataset / "test")
    with FileServer(dataset) as server:
        storage = StorageOptions(cache_dir=tmp_path)
        with pytest.raises(DatasetError, match=r"404.*'val' a split of it: open it with split='val'"):
            StreamingLatentDataset(f"{server.url}/val", batch_size=4, storage=storage)
        with pytest.raises(DatasetError, match=r"404.*names a dataset's folder$"):
            LatentDataset(f"{server.url}/nothing", storage=storage)


@pytest.mark.parametrize("index", [1.5, "3", None, slice(0, 3), [1, 2]])
def test_an_index_that_is_no_whole_number(dataset, index):
    with pytest.raises(DatasetError, match="samples go by whole numbers"):
        LatentDataset(dataset)[index]


@pytest.mark.parametrize("root", [None, 3, "", {"a": 1}])
def test_a_root_that_is_none(root):
    with pytest.raises(DatasetError, match="a dataset is a folder or a URL"):
        LatentDataset(root)
