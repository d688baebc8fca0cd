"""Committed bytes: what was written by version 1 of the format reads for ever, and is written again the same.

Only tools/make_golden.py writes them. Zstandard may compress otherwise in another version of its own, so its payloads
are taken as they are, and everything around them is compared byte by byte; those of `rans` are compared too.
"""

import json
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tests.photographs import contents
from walloc_data import LatentDataset, load_codec, save_codec
from walloc_data.dataset_codec import read_dataset_codec, write_dataset_codec
from walloc_data.entropy import RansCoder
from walloc_data.format import Manifest, Record, ShardWriter, pack_record, read_index
from walloc_data.storage import open_storage

GOLDEN = Path(__file__).parent / "golden"
FINGERPRINT = json.loads((GOLDEN / "records" / "walloc.json").read_text("utf-8"))["fingerprint"]


@pytest.fixture(params=["records", "samples", "ragged"])
def name(request):
    return request.param


@pytest.fixture
def expected(name):
    """Every sample: its split, columns, and latents."""
    samples = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    for sample in samples:
        sample["latents"] = np.array(sample["latents"], np.int8).reshape(sample.pop("shape"))
    return samples


def members(tar):
    with tarfile.open(tar) as file:
        return [(member.name, file.extractfile(member).read()) for member in file]


def tars(name):
    return sorted((GOLDEN / name).glob("*.tar"))


def test_every_sample_reads_as_it_was(name, expected):
    for split in Manifest.read(GOLDEN / name).splits:
        dataset = LatentDataset(GOLDEN / name, split)
        samples = [sample for sample in expected if sample["split"] == split]
        assert len(dataset) == len(samples) > 0
        batch = dataset.__getitems__(range(len(dataset)))
        for i, ((latents, label), sample) in enumerate(zip(batch, samples, strict=True)):
            assert np.array_equal(latents.numpy(), sample["latents"])
            assert label == sample.get("label", -1)
            assert dataset.fields(i) == {k: v for k, v in sample.items() if k not in ("split", "latents")}


def test_the_manifest_is_written_the_same(name, tmp_path):
    manifest = Manifest.read(GOLDEN / name)
    manifest.write(tmp_path)
    assert contents(tmp_path)["walloc.json"] == (GOLDEN / name / "walloc.json").read_bytes()
    assert manifest.fingerprint == FINGERPRINT
    assert manifest.layout == ("samples" if name == "samples" else "records")


def test_the_codec_and_tables_are_the_same(name, tmp_path):
    codec, coder = read_dataset_codec(open_storage(GOLDEN / name))
    assert codec.fingerprint == FINGERPRINT
    write_dataset_codec(tmp_path, codec, coder)
    other, again = read_dataset_codec(open_storage(tmp_path))
    assert other.fingerprint == FINGERPRINT
    tables = again.tables()
    assert tables.keys() == coder.tables().keys()
    assert all(np.array_equal(tables[key], table) for key, table in coder.tables().items())


def test_records_are_written_the_same(name, expected):
    latents = iter([sample["latents"] for sample in expected])
    for tar in tars(name):
        for member, data in members(tar):
            if not member.endswith(".wlc"):
                continue
            record = Record.parse(data, where=member)
            payloads = [data[start : start + size] for start, size in record.segments.tolist()]
            again = pack_record(
                payloads,
                [next(latents) for _ in payloads],
                record.columns(data, where=member),
                coder_id=1,
                fingerprint=FINGERPRINT,
            )
            assert again == data
    assert next(latents, None) is None


def test_shards_are_written_the_same(name, tmp_path):
    shards = {shard.name: shard for of_split in Manifest.read(GOLDEN / name).splits.values() for shard in of_split}
    for tar in tars(name):
        samples = iter(read_index(tar.with_suffix(".idx"))[0]["samples"].tolist())
        with ShardWriter(tmp_path / tar.name) as writer:
            for member, data in members(tar):
                writer.add(member, data, samples=next(samples) if member.endswith(".wlc") else 0)
        for suffix in (".tar", ".idx"):
            assert (tmp_path / tar.name).with_suffix(suffix).read_bytes() == tar.with_suffix(suffix).read_bytes()
        assert writer.digest.hexdigest() == shards[tar.name].sha256


def test_what_is_encoded_today_decodes_to_the_same(name, expected):
    _, coder = read_dataset_codec(open_storage(GOLDEN / name))
    for sample in expected:
        (payload,) = coder.encode(sample["latents"][None])
        out = np.empty_like(sample["latents"])[None]
        coder.decode(payload, np.array([[0, len(payload)]], np.uint64), out)
        assert np.array_equal(out[0], sample["latents"])


def test_a_record_by_hand():
    """The first record, read with nothing but the byte table of `walloc_data.format.record`."""
    tar = (GOLDEN / "records" / "train-00000.tar").read_bytes()
    offset, size, samples = struct.unpack_from("<QII", (GOLDEN / "records" / "train-00000.idx").read_bytes(), 24)
    record = tar[offset : offset + size]
    assert (offset, samples) == (512, 4)
    assert record[:12] == b"WLC1" + bytes([1, 2, 4, 0, 4, 0, 0, 0])
    assert record[12:20].hex() == FINGERPRINT
    (columns,) = struct.unpack_from("<I", record, 20)
    assert struct.unpack_from("<3I", record, 32) == (4, 4, 0)
    ends = struct.unpack_from("<4I", record, 44)
    assert 44 + 8 * 4 + ends[-1] + columns == size
    assert record[size - columns :].startswith(b"\x05labeli" + struct.pack("<I", 16))


@pytest.mark.parametrize("shape", ["line", "image", "video", "tall"])
def test_payloads_of_rans_are_read_and_written_the_same(shape):
    arrays = load_file(GOLDEN / "rans" / f"{shape}.safetensors")
    latents, payloads, lengths = (arrays.pop(key) for key in ("latents", "payloads", "lengths"))
    coder = RansCoder.from_tables(arrays)
    ends = np.cumsum(lengths, dtype=np.uint64)
    out = np.empty_like(latents)
    coder.decode(payloads, np.stack([ends - lengths, lengths], 1), out)
    assert np.array_equal(out, latents)
    assert b"".join(coder.encode(latents)) == payloads.tobytes()
    assert len(payloads) == ends[-1]
    assert (lengths[:4] < 0.8 * latents[0].size).all()
    assert lengths[3] < lengths[4] < latents[0].size
    assert lengths[5] == latents[0].size


def test_a_decoder_decodes_as_it_did(tmp_path):
    codec = load_codec(GOLDEN / "decoders" / "conv.safetensors")
    expected = load_file(GOLDEN / "decoders" / "conv-decoded.safetensors")
    decoded = codec.decode(torch.from_numpy(expected["latents"]))
    assert np.allclose(decoded.numpy(), expected["signal"], atol=1e-5)
    linear = load_codec("gray-f8c4")
    assert codec.fingerprint == linear.fingerprint
    assert np.abs(linear.decode(torch.from_numpy(expected["latents"])).numpy() - expected["signal"]).max() > 0.01
    save_codec(codec, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (GOLDEN / "decoders" / "conv.safetensors").read_bytes()


def test_an_original_codec_gives_what_it_did(tmp_path):
    codec = load_codec(GOLDEN / "decoders" / "original.safetensors")
    expected = load_file(GOLDEN / "decoders" / "original-decoded.safetensors")
    assert codec.fingerprint == "4f252f1fc88b12ee"
    z = codec.encode(torch.from_numpy(expected["signal"]))
    assert (z.numpy() != expected["latents"]).sum() <= 1  # a value on a tie
    decoded = codec.decode(torch.from_numpy(expected["latents"]))
    assert np.allclose(decoded.numpy(), expected["decoded"], atol=1e-5)
    save_codec(codec, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (GOLDEN / "decoders" / "original.safetensors").read_bytes()


def test_members_by_hand():
    found = members(GOLDEN / "samples" / "train-00000.tar")
    assert [name for name, _ in found[:3]] == [f"train-00000-0000-0000.{suffix}" for suffix in ("wlc", "cls", "json")]
    fields = json.loads(found[2][1])
    assert found[1][1] in (b"0", b"1")
    assert (fields["size"], fields["original_size"][0]) == ([32, 32], 32)
    assert len(found) == 18
