"""Signals so large that memory and records are short of room for a block of them."""

import numpy as np
import pytest
import torch

from tests.photographs import made, window
from tests.test_shard import run
from walloc_data import LatentDataset, StreamingLatentDataset, load_codec
from walloc_data.codec import psnr
from walloc_data.format import Manifest, read_index
from walloc_data.write import pack
from walloc_data.write.measure import measured_psnr

A_SAMPLE = 12 * 8 * 8  # latents of one that is 64 pixels a side


@pytest.fixture(params=[2.5, 1.0, 5.0], ids=lambda samples: f"{samples} samples a record")
def uneven(request, photos, codec, tmp_path, monkeypatch):
    """Records of 8 samples that hold fewer, for want of room."""
    monkeypatch.setattr(pack, "MAX_LATENTS", int(request.param * A_SAMPLE))
    run(photos, tmp_path / "uneven", codec)
    return tmp_path / "uneven"


def test_records_are_closed_before_their_limits(uneven):
    for shards in Manifest.read(uneven).splits.values():
        for shard in shards:
            assert shard.records > -(-shard.samples // 8)
            samples = read_index(uneven / shard.index)[0]["samples"]
            assert samples.sum() == shard.samples
            ends = np.cumsum(samples)
            assert set(range(8, shard.samples, 8)) <= set(ends.tolist())  # a record is of one block


def test_uneven_records_read_as_even_ones(uneven, dataset):
    for split in ("train", "val"):
        one, other = LatentDataset(uneven, split), LatentDataset(dataset, split)
        assert one.targets == other.targets
        assert one.samples == other.samples
        numbers = np.random.default_rng(3).permutation(len(other)).tolist()
        for (x, label), (y, same) in zip(one.__getitems__(numbers), other.__getitems__(numbers), strict=True):
            assert label == same
            assert torch.equal(x, y)
        for number in numbers[:9]:
            assert torch.equal(one[number][0], other[number][0])
            assert one.fields(number) == other.fields(number)
        for options in ({}, {"shuffle": False}, {"where": "label == 1"}):
            streams = (StreamingLatentDataset(root, split, batch_size=5, **options) for root in (uneven, dataset))
            for (x, labels), (y, same) in zip(*streams, strict=True):
                assert torch.equal(labels, same)
                assert torch.equal(x, y)


def test_columns_are_counted_too(codec, tmp_path, monkeypatch):
    from tests.test_shard_sources import Failing
    from walloc_data.sources import Source

    class Masks(Failing):
        def __getitem__(self, index):
            raw = super().__getitem__(index)
            return raw._replace(fields={"mask": bytes(3 * A_SAMPLE)})

    monkeypatch.setattr(Failing, "__len__", lambda self: 2)
    monkeypatch.setattr(pack, "MAX_LATENTS", 4 * A_SAMPLE)
    run(Source("masks", {"train": Masks(ValueError())}), tmp_path / "out", codec)
    assert Manifest.read(tmp_path / "out").splits["train"][0].records == 2
    assert len(LatentDataset(tmp_path / "out").fields(1)["mask"]) == 3 * A_SAMPLE


@pytest.mark.parametrize("coder", ["rans", "zstd"])
@pytest.mark.parametrize("layout", ["records", "samples"])
def test_bytes_do_not_depend_on_how_many_are_coded_together(photos, codec, tmp_path, monkeypatch, coder, layout):
    run(photos, tmp_path / "one", codec, coder=coder, layout=layout)
    monkeypatch.setattr(pack, "_AT_ONCE", 3 * A_SAMPLE)
    run(photos, tmp_path / "other", codec, coder=coder, layout=layout)
    assert made(tmp_path / "one") == made(tmp_path / "other")


def test_latents_do_not_gather(photos, codec, tmp_path, monkeypatch):
    """No more of them wait to be coded than are coded together."""
    waiting = []
    add = pack.Packer.add

    def adding(self, latents, row):
        add(self, latents, row)
        waiting.append(sum(one.size for one in self._latents))

    monkeypatch.setattr(pack, "_AT_ONCE", 2 * A_SAMPLE)
    monkeypatch.setattr(pack.Packer, "add", adding)
    run(photos, tmp_path / "out", codec, block=64)
    assert max(waiting) < 2 * A_SAMPLE


@pytest.mark.parametrize("size", [(3000, 2200), (2601, 43), (301, 203)])
def test_large_pictures_are_measured_in_their_middle(codec, size):
    values = np.asarray(window("chelsea", 1, (110, 90)).resize(size)).transpose(2, 0, 1).copy()
    x = torch.from_numpy(values)[None]
    latents = codec.encode(x)
    whole = psnr(codec.decode(latents, values.shape[1:])[0], codec.config.to_float(x)[0])
    measured = measured_psnr(codec, values, latents[0].numpy())
    assert measured == pytest.approx(whole, abs=1e-9 if max(size) < 2048 else 1.5)


@pytest.mark.parametrize("name", ["rgb-f8c12", "rgb-f8c12-learned"])  # the second one's decoder reaches further
def test_the_middle_is_decoded_as_it_is_in_the_whole(name, monkeypatch):
    codec = load_codec(name)
    values = np.asarray(window("chelsea", 1, (110, 90)).resize((997, 897))).transpose(2, 0, 1).copy()
    latents = codec.encode(torch.from_numpy(values)[None])
    side = 100
    monkeypatch.setattr("walloc_data.write.measure._POSITIONS", side * side)
    whole, kept = codec.decode(latents, values.shape[1:])[0], side - 2 * codec.margin
    starts = [((n - side) // 2 + codec.margin) * 8 - padding for n, padding in ((113, 3), (125, 1))]
    rows, columns = (slice(start, start + kept * 8) for start in starts)
    expected = psnr(whole[:, rows, columns], torch.from_numpy(values[:, rows, columns]) / 255)
    assert measured_psnr(codec, values, latents[0].numpy()) == pytest.approx(expected, abs=1e-3)


def test_gray_too():
    codec = load_codec("gray-f8c4")
    values = np.asarray(window("chelsea", 1).convert("L").resize((2200, 2200)))[None].copy()
    latents = codec.encode(torch.from_numpy(values)[None])
    assert 20 < measured_psnr(codec, values, latents[0].numpy()) < 60
