"""Several views of each sample: stored side by side, one shown each epoch, every one once in as many epochs."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from tests.http_server import FileServer
from tests.photographs import contents, window
from walloc_data import (
    ImageReader,
    LatentDataset,
    Options,
    StorageOptions,
    StreamingLatentDataset,
    append_dataset,
    compare_dataset,
    filter_dataset,
    merge_datasets,
    repair_dataset,
    shard_dataset,
    transcode_dataset,
    verify_dataset,
)
from walloc_data.cli import main, main_shard
from walloc_data.errors import DatasetError, FormatError
from walloc_data.format import Manifest
from walloc_data.order import SplitOrder, ViewedOrder, Views
from walloc_data.read.locate import Places
from walloc_data.signals import Box, random_crops

VIEWS, COUNT = 3, 21


def add(folder, numbers):
    for number in numbers:
        of_class = folder / ("cat", "dog")[number % 2]
        of_class.mkdir(parents=True, exist_ok=True)
        window("chelsea", number, (48, 64)).save(of_class / f"{number:02d}.png")


def run(source, out, codec, **options):
    chosen = {"views": VIEWS, "block": 4, "shard_samples": 7, **options}
    return shard_dataset(source, out, codec=codec, reader=ImageReader(size=32), options=Options(**chosen))


@pytest.fixture(scope="module")
def made(codec, tmp_path_factory):
    """A source, one sample of which cannot be read, and the dataset of its views: shards whose last blocks hold three
    samples, or two."""
    root = tmp_path_factory.mktemp("views")
    add(root / "photos", range(COUNT))
    (root / "photos" / "cat" / "broken.png").write_bytes(b"no picture")
    assert run(root / "photos", root / "out", codec).samples == COUNT
    return root


@pytest.fixture
def out(made, tmp_path):
    return Path(shutil.copytree(made / "out", tmp_path / "out"))


def shown(dataset):
    return {key: int(view) for _, key, view in dataset}


def test_epochs_show_every_view_once_by_both_doors(made):
    dataset = LatentDataset(made / "out", columns=("key", "view"))
    stream = StreamingLatentDataset(made / "out", batch_size=4, columns=("key", "view"))
    assert len(dataset) == len(dataset.targets) == len({key for key, _ in dataset.samples}) == COUNT
    assert len(stream) == 6
    epochs = []
    for epoch in range(VIEWS + 1):
        dataset.set_epoch(epoch)
        epochs.append(shown(dataset))
        assert [dataset.fields(number)["view"] for number in range(3)] == [
            int(dataset[number][2]) for number in range(3)
        ]
        batches = [(keys, views.tolist()) for _, keys, views in stream.loader()]
        stream.set_epoch(epoch + 1)
        assert {k: v for keys, views in batches for k, v in zip(keys, views, strict=True)} == epochs[-1]
        assert sum(len(keys) for keys, _ in batches) == COUNT
    assert all({epoch[key] for epoch in epochs} == set(range(VIEWS)) for key in epochs[0])
    assert epochs[VIEWS] == epochs[0]
    assert len(set(epochs[0].values())) > 1  # records take turns apart


def test_a_view_is_the_crop_that_its_box_says(made, codec):
    dataset = LatentDataset(made / "out", columns=("key", "view", "box"))
    reader, again, stored = ImageReader(size=32), [], []
    for epoch in range(VIEWS):
        dataset.set_epoch(epoch)
        for latents, key, view, box in dataset:
            picture = (made / "photos" / key).read_bytes()
            boxes = random_crops(VIEWS, 48, 64, seed=f"0/{key}")
            assert tuple(box.tolist()) == boxes[int(view)]
            [signal] = reader.views(picture, key, lambda *_, box=boxes[int(view)]: [box])
            again.append(torch.from_numpy(signal.values))
            stored.append(latents)
    assert torch.equal(codec.encode(torch.stack(again)), torch.stack(stored))
    assert compare_dataset(made / "out", made / "photos", samples=5).differs == []


def test_workers_that_live_on_see_the_epoch(made):
    dataset = LatentDataset(made / "out", columns=("key", "view"))
    loader = DataLoader(dataset, batch_size=7, num_workers=1, persistent_workers=True)
    for epoch in (0, 2):
        dataset.set_epoch(epoch)
        found = {k: v for _, keys, views in loader for k, v in zip(keys, views.tolist(), strict=True)}
        assert found == shown(dataset)
    with pytest.raises(DatasetError, match="epoch=-1"):
        dataset.set_epoch(-1)


def test_filters_prefixes_ranks_and_states(made):
    where = "label == 1 and box[2] > 0"
    some = LatentDataset(made / "out", columns=("key", "view"), where=where, channels=5)
    assert len(some) == COUNT // 2
    assert some[0][0].shape == (5, 4, 4)
    stream = StreamingLatentDataset(made / "out", batch_size=2, columns=("key", "view"), where=where)
    for epoch in range(VIEWS):
        some.set_epoch(epoch)
        batches = list(stream.loader())
        stream.set_epoch(epoch + 1)
        assert {k: int(v) for _, keys, views in batches for k, v in zip(keys, views, strict=True)} == shown(some)
    # Every view of a sample that is kept holds.
    wide = LatentDataset(made / "out", columns=("key", "box"), where="box[2] > 20")
    widths = {}
    whole = LatentDataset(made / "out", columns=("key", "box"))
    for epoch in range(VIEWS):
        whole.set_epoch(epoch)
        for _, key, box in whole:
            widths.setdefault(key, []).append(int(box[2]))
    assert {key for key, _ in wide.samples} == {key for key, each in widths.items() if min(each) > 20}

    def rank(number, **options):
        stream = StreamingLatentDataset(
            made / "out", batch_size=2, columns=("key", "view"), rank=number, world_size=2, **options
        )
        stream.set_epoch(1)
        return stream

    alone = StreamingLatentDataset(made / "out", batch_size=4, columns=("key", "view"), epoch_samples=50)
    seen = [(key, int(view)) for _, keys, views in alone for key, view in zip(keys, views, strict=True)]
    assert [len(set(seen[:k])) for k in (COUNT, 2 * COUNT, 50)] == [COUNT, 2 * COUNT, 50]  # twice through, and on
    ranks = [[(key, int(v)) for _, keys, views in rank(n) for key, v in zip(keys, views, strict=True)] for n in (0, 1)]
    dataset = LatentDataset(made / "out", columns=("key", "view"))
    dataset.set_epoch(1)
    assert dict(ranks[0] + ranks[1]) == shown(dataset)
    loader = rank(0).loader()
    first = [keys for _, (_, keys, _) in zip(range(2), loader, strict=False)]
    again = rank(0).loader()
    again.load_state_dict(loader.state_dict())
    assert [key for keys in [*first, *(keys for _, keys, _ in again)] for key in keys] == [key for key, _ in ranks[0]]


def test_runs_go_on_and_damage_is_found_and_repaired(made, out, codec, tmp_path):
    first = contents(out)
    assert verify_dataset(out, deep=True) == []
    assert Manifest.read(out).views == VIEWS
    data = bytearray(first["train-00001.tar"])
    data[700] ^= 1
    (out / "train-00001.tar").write_bytes(data)
    assert {one.file for one in verify_dataset(out, deep=True)} == {"train-00001.tar"}
    assert repair_dataset(out, made / "photos").made == ["train-00001.tar"]
    assert contents(out) == first
    for name in ("walloc.json", "train-00002.tar"):
        (out / name).unlink()
    assert run(made / "photos", out, codec).written == 7
    assert contents(out) == first
    with pytest.raises(DatasetError, match="views was 3 and is now 2"):
        run(made / "photos", out, codec, views=2)


def test_datasets_of_datasets_keep_views(made, out, tmp_path):
    transcode_dataset(out, tmp_path / "zstd", coder="zstd", layout="samples", block=2, shard_samples=5)
    assert verify_dataset(tmp_path / "zstd", deep=True) == []

    def all_of(folder):
        dataset = LatentDataset(folder, columns=("key", "view", "box"))
        for epoch in range(VIEWS):
            dataset.set_epoch(epoch)
            for latents, key, view, box in dataset:
                yield (key, int(view)), (latents.tolist(), box.tolist())

    assert dict(all_of(tmp_path / "zstd")) == dict(all_of(out))
    filter_dataset(out, tmp_path / "cats", "label == 0")
    filter_dataset(out, tmp_path / "dogs", "label == 1")
    merged = merge_datasets([tmp_path / "cats", tmp_path / "dogs"], tmp_path / "both").manifest
    assert (merged.views, merged.summary.samples) == (VIEWS, COUNT)
    assert dict(all_of(tmp_path / "both")) == dict(all_of(out))
    mixed = {str(tmp_path / "cats"): 1, str(tmp_path / "dogs"): 1}
    stream = StreamingLatentDataset(mixed, batch_size=8, columns=("key", "view"), epoch_samples=2 * COUNT * VIEWS)
    assert (
        len({(key, int(v)) for _, keys, views in stream for key, v in zip(keys, views, strict=True)}) == COUNT * VIEWS
    )
    source = Path(shutil.copytree(made / "photos", tmp_path / "photos"))
    add(source, range(COUNT, COUNT + 5))
    stream = StreamingLatentDataset(out, batch_size=4, columns=("key", "view"))
    whole = [(key, int(v)) for _, keys, views in stream for key, v in zip(keys, views, strict=True)]
    stream = StreamingLatentDataset(out, batch_size=4, columns=("key", "view"))
    loader = stream.loader()
    next(iter(loader))
    state = loader.state_dict()
    assert append_dataset(out, source).added == 5
    assert len(LatentDataset(out)) == Manifest.read(out).summary.samples == COUNT + 5
    resumed = StreamingLatentDataset(out, batch_size=4, columns=("key", "view"))
    resumed.load_state_dict(state)
    rest = [(key, int(v)) for _, keys, views in resumed for key, v in zip(keys, views, strict=True)]
    assert rest == whole[4:]  # the epoch ends as it began
    (out / "train-00003.idx").unlink()
    assert repair_dataset(out, source).made == ["train-00003.idx"]


def test_it_is_told_and_drawn(made, tmp_path, capsys):
    assert main(["info", str(made / "out")]) == 0
    assert f"train: {COUNT} samples of {VIEWS} views each" in capsys.readouterr().out
    assert f"{COUNT} samples (images, RGB), {VIEWS} views of each, as small" in (made / "out" / "README.md").read_text()
    page = tmp_path / "page.html"
    assert main(["report", str(made / "out"), str(page), "--against", str(made / "photos")]) == 0
    assert "originals were found" in page.read_text("utf-8")


def test_where_it_cannot_be_a_sentence_says_so(made, dataset, photos, tmp_path, capsys):
    for options, reading in ((["--views", "2", "--read", "size=none"], "size"), (["--views", "0"], "views=0")):
        assert main_shard([str(photos), str(tmp_path / "new"), *options]) == 1
        assert reading in capsys.readouterr().err
    with pytest.raises(DatasetError, match="views are crops of images, brought to one size; codec 'mono-f128c32'"):
        shard_dataset(
            [{"audio": np.zeros(999, np.float32)}], tmp_path / "new", codec="mono-f128c32", options=Options(views=2)
        )
    with pytest.raises(DatasetError, match="different numbers of views"):
        StreamingLatentDataset({str(made / "out"): 1, str(dataset): 1}, batch_size=4, columns=())
    manifest = Manifest.read(made / "out")
    with pytest.raises(FormatError, match="samples are not 4 views of each"):
        replace(manifest, views=4)
    (tmp_path / "new").mkdir(exist_ok=True)
    manifest.write(tmp_path / "new")
    assert '"version": 2,' in (tmp_path / "new" / "walloc.json").read_text()  # readers that know of no views refuse it
    replace(manifest, views=1).write(tmp_path / "new")
    assert '"version": 1,' in (tmp_path / "new" / "walloc.json").read_text()


def test_a_streamed_epoch_fetches_no_more_than_it_shows(made):
    shards = [path.name for path in (made / "out").glob("*.tar")]
    options = StorageOptions(cache_bytes=0)

    def fetched(server):
        asked = [headers["Range"] for target, headers in server.seen if target.strip("/") in shards]
        ends = [range_.removeprefix("bytes=").split("-") for range_ in asked]
        return sum(int(end) - int(start) + 1 for start, end in ends)

    with FileServer(made / "out") as server:
        stream = StreamingLatentDataset(server.url, batch_size=4, columns=("key",), storage=options)
        sizes = []
        for _ in range(VIEWS):
            before = fetched(server)
            assert len({key for _, keys in stream.loader() for key in keys}) == COUNT
            sizes.append(fetched(server) - before)
    records = sum((made / "out" / name).stat().st_size for name in shards)
    assert sum(sizes) < records  # all epochs together fetch each record once, and what is between them never
    assert max(sizes) < 1.3 * records / VIEWS


@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.integers(1, 7), st.integers(2, 5), st.integers(0, 9))
def test_entries_are_stored_once_each_and_taken_in_turn(shards, block, views, seed):
    records = [views * -(-samples // block) for samples in shards]
    places = Places([[views * n for n in shards]], [block], [records], lambda _: None, runs=[block], views=views)
    total = sum(shards)
    stored = places.stored(np.arange(total * views))
    assert sorted(stored.tolist()) == list(range(total * views))
    turns = places.turns(0, seed, None)
    epochs = [turns.entries(np.arange(total), epoch) for epoch in range(views)]
    assert sorted(np.concatenate(epochs).tolist()) == list(range(total * views))
    first = stored[epochs[0]]
    edges = np.flatnonzero(np.diff(first) != 1)  # what an epoch reads lies together, run by run
    assert len(edges) + 1 <= sum(-(-samples // block) for samples in shards)
    order = ViewedOrder(SplitOrder(shards, block, seed=seed), Views(views, shards, block, seed=seed))
    whole = order.samples(0, 2 * total)
    assert np.array_equal(np.concatenate([order.samples(0, total // 2), order.samples(total // 2, 2 * total)]), whole)
    assert sorted(whole[:total] // views) == list(range(total))
    assert order.entries == total * views


def test_crops_are_of_the_usual_sizes_and_shapes():
    boxes = random_crops(500, 640, 480, seed="a")
    assert boxes == random_crops(500, 640, 480, seed="a") != random_crops(500, 640, 480, seed="b")
    for x, y, wide, tall in boxes:
        assert 0 <= x <= 640 - wide
        assert 0 <= y <= 480 - tall
        assert 0.07 < wide * tall / (640 * 480) <= 1
        assert 0.74 < wide / tall < 1.35
    assert random_crops(1, 1000, 10, seed="a")[0][2:] == (13, 10)  # too narrow for any


def test_turned_gray_and_large_pictures():
    picture, file = window("chelsea", 0, (120, 96)).resize((300, 240)), io.BytesIO()
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned by a quarter
    picture.save(file, "JPEG", exif=exif, quality=95)
    reader = ImageReader(size=16)  # so small that the decoder may shrink
    [view] = reader.views(file.getvalue(), "a.jpg", lambda width, height: [Box(0, 0, width, height)])
    squashed = ImageReader(size=16, resize="squash").read(file.getvalue(), "a.jpg")
    assert view.fields["original_size"] == squashed.fields["original_size"] == (300, 240)
    assert np.abs(squashed.values.astype(int) - view.values).max() < 12
    gray = ImageReader(size=16, channels=1).views(picture, "a", lambda *_: [Box(3, 4, 50, 60)])
    assert gray[0].values.shape == (1, 16, 16)
