"""The read path: a drop-in for torchvision's ImageFolder, and what it says of damage."""

import copy as copies
import hashlib
import json
import pickle
import shutil
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    Subset,
    WeightedRandomSampler,
    random_split,
)

from tests.photographs import CLASSES
from walloc_data import ImageReader, LatentDataset, Options, load_codec, shard_dataset
from walloc_data.errors import CodecError, CoderError, DatasetError, FormatError
from walloc_data.format import Manifest, Record, read_index


@pytest.fixture(scope="module")
def train(dataset):
    return LatentDataset(dataset)


@pytest.fixture(scope="module")
def everything(train):
    """Latents and labels of all samples, read one by one."""
    pairs = [train[i] for i in range(len(train))]
    return torch.stack([x for x, _ in pairs]), [y for _, y in pairs]


def test_what_it_holds_is_what_the_folder_holds(photos, dataset, codec):
    for split, count in (("train", 60), ("val", 12)):
        found = LatentDataset(dataset, split)
        assert len(found) == count
        assert found.classes == sorted(path.name for path in (photos / split).iterdir())
        assert found.class_to_idx == {name: i for i, name in enumerate(CLASSES)}
        keys = [found.fields(i)["key"] for i in range(count)]
        assert sorted(keys) == sorted(path.relative_to(photos).as_posix() for path in (photos / split).rglob("*.jpg"))
        assert [found.classes[label] for label in found.targets] == [key.split("/")[1] for key in keys]
        for i, key in enumerate(keys):
            latents, label = found[i]
            assert type(label) is int
            assert label == found.targets[i] == found.fields(i)["label"]
            assert latents.dtype == torch.int8
            pixels = torch.from_numpy(ImageReader(size=64).read((photos / key).read_bytes(), str(photos / key)).values)
            # Alone, not in its batch, a sum may round to the other side.
            assert (latents - codec.encode(pixels[None])[0]).abs().sum() <= 1
            with Image.open(photos / key) as image:
                assert found.fields(i)["original_size"] == [image.height, image.width]


def test_batches_are_samples_in_any_order(train, everything):
    latents, labels = everything
    rng = np.random.default_rng(0)
    for indices in (
        range(60),
        range(59, -1, -1),
        rng.permutation(60),
        rng.integers(-60, 60, 100),
        [5] * 7,
        [0],
        [-1, 59, -60, 0],
        torch.tensor([3, 1, 2]),
        [torch.tensor(4), np.int64(7)],
    ):
        batch = train.__getitems__(indices)
        assert [y for _, y in batch] == [labels[int(i)] for i in indices]
        assert all(torch.equal(x, latents[int(i)]) for (x, _), i in zip(batch, indices, strict=True))
    assert train.__getitems__([]) == []


def test_single_samples(train, everything):
    for index in (0, -1, np.int64(5), torch.tensor(5)):
        assert torch.equal(train[index][0], everything[0][int(index)])
        assert train.fields(int(index))["label"] == everything[1][int(index)]
    assert [y for _, y in train] == everything[1]


@pytest.mark.parametrize("index", [60, -61, 10**6, -(10**6)])
def test_out_of_range(train, index):
    for read in (train.__getitem__, train.fields, lambda i: train.__getitems__([0, i])):
        with pytest.raises(IndexError, match="out of range of 60"):
            read(index)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_data_loader_workers(train, everything, context):
    loader = DataLoader(train, batch_size=7, num_workers=2, multiprocessing_context=context)
    batches = list(loader)
    assert torch.equal(torch.cat([x for x, _ in batches]), everything[0])
    assert torch.cat([y for _, y in batches]).tolist() == everything[1]
    assert batches[0][1].dtype == torch.int64


def test_data_loader_shuffles(train, everything):
    loader = DataLoader(train, batch_size=8, shuffle=True, generator=torch.Generator().manual_seed(0))
    x, y = (torch.cat(parts) for parts in zip(*loader, strict=True))
    assert y.tolist() != everything[1]
    assert sorted(map(bytes, x.numpy())) == sorted(map(bytes, everything[0].numpy()))
    assert sorted(y.tolist()) == sorted(everything[1])


def test_samplers(train, everything):
    ranks = [DataLoader(train, batch_size=4, sampler=DistributedSampler(train, 2, rank)) for rank in (0, 1)]
    seen = torch.cat([x for loader in ranks for x, _ in loader])
    assert sorted(map(bytes, seen.numpy())) == sorted(map(bytes, everything[0].numpy()))
    weights = [1.0 if target == 1 else 0.0 for target in train.targets]
    weighted = DataLoader(train, batch_size=10, sampler=WeightedRandomSampler(weights, 30))
    assert torch.cat([y for _, y in weighted]).unique().tolist() == [1]
    whole = BatchSampler(RandomSampler(train), 6, drop_last=True)
    assert sum(len(y) for _, y in DataLoader(train, batch_sampler=whole)) == 60


def test_subsets(train, everything):
    subset = Subset(train, [50, 3, 3])
    assert torch.equal(next(iter(DataLoader(subset, batch_size=3)))[0], everything[0][[50, 3, 3]])
    parts = random_split(train, [40, 20], torch.Generator().manual_seed(0))
    labels = [y for part in parts for _, batch in DataLoader(part, batch_size=16) for y in batch.tolist()]
    assert sorted(labels) == sorted(everything[1])


def test_transforms(dataset, everything):
    changed = LatentDataset(dataset, transform=lambda x: x.float() + 1, target_transform=str)
    x, y = changed[3]
    assert torch.equal(x, everything[0][3] + 1.0)
    assert y == str(everything[1][3])


def test_decoding(dataset, photos, codec, everything):
    floats = LatentDataset(dataset, decode="float")
    pixels = LatentDataset(dataset, decode="pixels")
    chosen = [7, 0, 33]
    expected = everything[0][chosen]
    assert torch.equal(torch.stack([x for x, _ in floats.__getitems__(chosen)]), codec.dequantize(expected))
    torch.testing.assert_close(torch.stack([x for x, _ in pixels.__getitems__(chosen)]), codec.decode(expected))
    path = photos / pixels.fields(7)["key"]
    original = torch.from_numpy(ImageReader(size=64).read(path.read_bytes(), str(path)).values) / 255
    assert (pixels[7][0] - original).abs().mean() < 0.05


def test_sizes_that_differ(ragged_dataset, codec):
    latents, floats, pixels = (LatentDataset(ragged_dataset, decode=d) for d in ("latents", "float", "pixels"))
    order = [11, 0, 5, 5, -1]
    for found, value, image, index in zip(
        latents.__getitems__(order), floats.__getitems__(order), pixels.__getitems__(order), order, strict=True
    ):
        height, width = latents.fields(index)["size"]
        assert torch.equal(found[0], latents[index][0])
        assert torch.equal(value[0], codec.dequantize(found[0]))
        assert image[0].shape == (3, height, width)
        torch.testing.assert_close(image[0], codec.decode(found[0][None], (height, width))[0])
    assert latents.targets == [-1] * 12
    assert latents[0][1] == -1
    assert (latents.classes, latents.class_to_idx) == ([], {})
    assert "label" not in latents.fields(0)


def test_the_layout_samples_reads_the_same(dataset, samples_dataset):
    for split in ("train", "val"):
        one, other = LatentDataset(dataset, split), LatentDataset(samples_dataset, split)
        assert one.targets == other.targets
        for (x, y), (u, v), i in zip(one, other, range(len(one)), strict=True):
            assert torch.equal(x, u)
            assert y == v
            assert one.fields(i) == other.fields(i)


def test_copies(train, everything):
    read = train[5]
    for copied in (pickle.loads(pickle.dumps(train)), copies.copy(train), copies.deepcopy(train)):
        assert torch.equal(copied[5][0], read[0])
        assert copied.targets == train.targets
    assert len(pickle.dumps(train)) < 200_000


def test_samples_may_be_written_to(train, everything):
    x, _ = train[0]
    x.zero_()
    assert torch.equal(train[0][0], everything[0][0])


def test_threads(dataset, everything):
    shared = LatentDataset(dataset)
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(shared.__getitems__, [list(range(i % 5, 60, 5)) for i in range(100)]))
    for i, batch in enumerate(batches):
        assert torch.equal(torch.stack([x for x, _ in batch]), everything[0][i % 5 :: 5])


def test_opening_reads_no_shard(copy):
    for path in copy.glob("*.tar"):
        path.unlink()
    opened = LatentDataset(copy)
    assert len(opened) == 60
    assert "60 samples" in repr(opened)
    for read in (lambda: opened[0], lambda: opened.targets, lambda: opened.fields(0)):
        with pytest.raises(DatasetError, match=r"train-00000\.tar: cannot be read \(No such file"):
            read()


def place(folder, shard=1, record=1):
    """A record: its shard, the offset of it in the tar, and its parsed header."""
    tar = folder / f"train-{shard:05d}.tar"
    entries, _ = read_index(tar.with_suffix(".idx"))
    offset, size = int(entries["offset"][record]), int(entries["bytes"][record])
    return tar, offset, Record.parse(tar.read_bytes(), offset=offset, size=size, where="")


def flip(path, at, bits=0x10):
    data = bytearray(path.read_bytes())
    data[at] ^= bits
    path.write_bytes(data)


def test_a_flipped_byte_in_a_payload_names_shard_record_and_sample(copy, everything):
    tar, offset, record = place(copy)
    start, size = record.segments[3].tolist()
    damaged = 16 + 8 + 3
    rng = np.random.default_rng(0)
    whole = tar.read_bytes()
    message = f"train-00001.tar, record at byte {offset}, sample 3 ({damaged} of the split): damaged"
    others = [i for i in range(60) if i != damaged]
    messages = []
    for at in [start, start + size - 1, *rng.integers(start, start + size, 40).tolist()]:
        flip(tar, at)
        broken = LatentDataset(copy)
        for indices in ([damaged], [damaged, 0, 1], range(59, -1, -1)):
            try:
                found = broken.__getitems__(indices)
            except FormatError as error:
                messages.append(str(error))
            else:  # a frame has bits that mean nothing
                assert all(torch.equal(x, everything[0][i]) for (x, _), i in zip(found, indices, strict=True))
        assert torch.equal(torch.stack([x for x, _ in broken.__getitems__(others)]), everything[0][others])
        tar.write_bytes(whole)
    assert len(messages) > 100
    assert all(message in said for said in messages)


def test_a_flipped_byte_in_a_ragged_payload(ragged_dataset, tmp_path):
    copied = shutil.copytree(ragged_dataset, tmp_path / "copy")
    tar, _, record = place(copied, shard=0, record=0)
    flip(tar, int(record.segments[2, 0]) + 12)
    with pytest.raises(FormatError, match=r"sample 2 \(2 of the split\): damaged"):
        LatentDataset(copied).__getitems__([4, 2, 1])


def test_a_flipped_byte_in_a_header_or_columns(copy):
    tar, offset, record = place(copy)
    whole = tar.read_bytes()
    for at in range(offset, int(record.segments[0, 0])):
        flip(tar, at)
        with pytest.raises(FormatError, match=rf"train-00001\.tar, record at byte {offset}"):
            LatentDataset(copy)[24]
        tar.write_bytes(whole)
    start, size = record.columns_at
    for at in range(start, start + size, 3):
        flip(tar, at)
        broken = LatentDataset(copy)
        for read in (broken.__getitem__, broken.fields, lambda _, ds=broken: ds.targets):
            with pytest.raises(FormatError, match=r"train-00001\.tar.* columns are damaged"):
                read(24)
        tar.write_bytes(whole)


@pytest.mark.parametrize("keep", [0, 511, 512, 3000, -1])
def test_a_shard_cut_short(copy, keep):
    tar = copy / "train-00001.tar"
    size = tar.stat().st_size
    tar.write_bytes(tar.read_bytes()[:keep])
    cut = LatentDataset(copy)
    assert cut[0][1] in (0, 1, 2)
    with pytest.raises(FormatError, match=rf"train-00001\.tar has {keep % size} bytes, not {size}: cut short"):
        cut[20]


def test_a_shard_of_zeros(copy):
    tar = copy / "train-00001.tar"
    tar.write_bytes(bytes(tar.stat().st_size))
    with pytest.raises(FormatError, match=r"train-00001\.tar.*not a record"):
        LatentDataset(copy)[20]


def sign(path, entries):
    """Write an index whose CRC is right."""
    data = path.read_bytes()
    body = entries.tobytes()
    path.write_bytes(
        data[:4] + struct.pack("<I", len(entries)) + data[8:16] + struct.pack("<II", zlib.crc32(body), 0) + body
    )


def read_everything(folder):
    opened = LatentDataset(folder)
    return opened.__getitems__(range(len(opened)))


@pytest.mark.parametrize(
    "edit",
    [
        lambda e: e["offset"].__iadd__(512),
        lambda e: e["offset"].__isub__(1),
        lambda e: e["bytes"].__isub__(1),
        lambda e: e["bytes"].__iadd__(1),
        lambda e: e["samples"].__iadd__(np.array([1, 2**32 - 1], "u4")),
        lambda e: e["samples"].__iadd__(1),
        lambda e: e.__setitem__(0, (0, 100, 8)),
        lambda e: e.__setitem__(1, (2**63, 2**31, 8)),
    ],
)
def test_an_index_that_lies(copy, edit):
    path = copy / "train-00001.idx"
    entries = read_index(path)[0].copy()
    edit(entries)
    sign(path, entries)
    with pytest.raises(FormatError, match="train-00001"):
        read_everything(copy)


def test_an_index_with_fewer_records(copy):
    path = copy / "train-00001.idx"
    sign(path, read_index(path)[0][:1])
    with pytest.raises(FormatError, match="not of the shard that the manifest describes"):
        read_everything(copy)


def test_indices_swapped(copy):
    one, other = copy / "train-00001.idx", copy / "train-00002.idx"
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)
    with pytest.raises(FormatError, match="train-0000"):
        read_everything(copy)


def test_indices_and_sizes_swapped(copy):
    """Even where a swapped index fits its tar in size."""
    sizes = [(copy / f"train-0000{i}.tar").stat().st_size for i in (0, 1)]
    index = (copy / "train-00001.idx").read_bytes()
    (copy / "train-00000.idx").write_bytes(index[:8] + struct.pack("<Q", sizes[0]) + index[16:])
    with pytest.raises(FormatError, match="train-00000"):
        read_everything(copy)


def test_no_index(copy):
    (copy / "train-00001.idx").unlink()
    with pytest.raises(DatasetError, match=r"train-00001\.idx: cannot be read"):
        read_everything(copy)


def test_a_record_of_another_codec(copy, photos, tmp_path, codec):
    reader, options = ImageReader(size=64), Options(block=8, shard_samples=16)
    shard_dataset(photos, tmp_path / "other", codec=load_codec("rgb-f8c48"), reader=reader, options=options)
    for suffix in (".tar", ".idx"):
        shutil.copy(tmp_path / "other" / f"train-00001{suffix}", copy / f"train-00001{suffix}")
    manifest = json.loads((copy / "walloc.json").read_text())
    other = json.loads((tmp_path / "other" / "walloc.json").read_text())
    manifest["splits"]["train"][1] = other["splits"]["train"][1]
    (copy / "walloc.json").write_text(json.dumps(manifest))
    mixed = LatentDataset(copy)
    assert mixed[0][0].shape == (12, 8, 8)
    with pytest.raises(FormatError, match=r"train-00001\.tar.*the shard belongs to another dataset"):
        mixed[16]
    shutil.copy(tmp_path / "other" / "codec.safetensors", copy / "codec.safetensors")
    with pytest.raises(CodecError, match="not the one that"):
        LatentDataset(copy)


def test_tables_of_another_dataset(copy, dataset, ragged_dataset):
    """The same codec, but a coder fitted to other data: caught at once; if signed, sample by sample, or it is right."""
    shutil.copy(ragged_dataset / "codec.safetensors", copy / "codec.safetensors")
    with pytest.raises(CodecError, match="not the one that"):
        LatentDataset(copy)
    manifest = json.loads((copy / "walloc.json").read_text())
    manifest["codec_sha256"] = hashlib.sha256((copy / "codec.safetensors").read_bytes()).hexdigest()
    (copy / "walloc.json").write_text(json.dumps(manifest))
    expected = [x for x, _ in read_everything(dataset)]
    try:
        found = read_everything(copy)
    except FormatError:
        return
    assert all(torch.equal(x, y) for (x, _), y in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", ["codec.safetensors", "walloc.json"])
@pytest.mark.parametrize("keep", [None, 0, 7, 100, -2])
def test_damaged_sidecars(copy, name, keep):
    path = copy / name
    data = path.read_bytes()
    path.unlink()
    if keep is not None:
        path.write_bytes(data[:keep])
    with pytest.raises((FormatError, CodecError, CoderError, DatasetError), match=f"{copy}.*{name}"):
        LatentDataset(copy)


def test_tables_of_rans_cut_short(photos, sharded, tmp_path):
    out = sharded(photos, tmp_path / "out", coder="rans")
    path = out / "codec.safetensors"
    data = path.read_bytes()
    assert len(read_everything(out)) > 0
    for keep in (len(data) - 1, len(data) - 2000, len(data) // 2, 8):
        path.write_bytes(data[:keep])
        with pytest.raises(CodecError, match=f"{path} is not a readable safetensors file"):
            LatentDataset(out)


def test_a_manifest_of_a_later_version(copy):
    content = json.loads((copy / "walloc.json").read_text())
    (copy / "walloc.json").write_text(json.dumps(content | {"version": 3}))
    with pytest.raises(FormatError, match="upgrade walloc_data"):
        LatentDataset(copy)


def test_a_manifest_that_lies_about_samples(copy):
    content = json.loads((copy / "walloc.json").read_text())
    content["splits"]["train"][0]["samples"] -= 1
    (copy / "walloc.json").write_text(json.dumps(content))
    with pytest.raises(FormatError, match="not of the shard that the manifest describes"):
        read_everything(copy)


def test_what_is_not_there(dataset, tmp_path):
    with pytest.raises(DatasetError, match="no split 'test': it has train, val"):
        LatentDataset(dataset, "test")
    with pytest.raises(FormatError, match="is not a dataset"):
        LatentDataset(tmp_path)
    with pytest.raises(DatasetError, match="decode='jpeg'"):
        LatentDataset(dataset, decode="jpeg")


def test_the_manifest_is_open_to_readers(dataset):
    manifest = LatentDataset(dataset, "val").manifest
    assert manifest == Manifest.read(dataset)
    assert manifest.samples("val") == 12
