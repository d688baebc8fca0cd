import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from walloc_data.errors import FormatError
from walloc_data.format import Record, pack_record
from walloc_data.format.record import HEADER, MAX_LATENTS, MAX_SAMPLES

FINGERPRINT = "0123456789abcdef"


def payload(sample: np.ndarray) -> bytes:
    return sample.tobytes()[: sample.size // 2]  # the format does not care what a coder makes of latents


def pack(latents, columns, coder_id=1):
    payloads = [payload(sample) for sample in latents]
    return pack_record(payloads, latents, columns, coder_id=coder_id, fingerprint=FINGERPRINT)


@st.composite
def batches(draw):
    """Latents of one shape, or of several."""
    samples, channels, dims = draw(st.integers(1, 6)), draw(st.integers(1, 5)), draw(st.integers(1, 3))
    space = st.tuples(*[st.integers(1, 4)] * dims)
    spaces = draw(st.lists(space, min_size=samples, max_size=samples) | space.map(lambda one: [one] * samples))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return [rng.integers(-127, 128, (channels, *one)).astype(np.int8) for one in spaces]


@given(batches(), st.booleans(), st.integers(0, 255), st.integers(0, 40))
def test_records_come_back(latents, labelled, coder_id, offset):
    columns = {"key": [f"k{i}" for i in range(len(latents))]}
    if labelled:
        columns["label"] = np.arange(len(latents), dtype=np.int32)
    data = bytes(offset) + pack(latents, columns, coder_id) + b"behind"
    record = Record.parse(data, offset=offset, size=len(data) - offset - 6, where="here")
    assert (len(record), record.coder_id, record.fingerprint) == (len(latents), coder_id, FINGERPRINT)
    for i, sample in enumerate(latents):
        assert record.latent_shape(i) == sample.shape
        start, size = record.segments[i].tolist()
        assert data[start : start + size] == payload(sample)
        assert record.crcs[i] == zlib.crc32(sample.tobytes())
    found = record.columns(data, where="here")
    assert list(found) == list(columns)
    assert found["key"] == columns["key"]
    if labelled:
        assert found["label"].tolist() == columns["label"].tolist()
        assert record.columns(data, where="here", only="label")["label"].tolist() == columns["label"].tolist()


@pytest.mark.parametrize("ragged", [False, True])
def test_bytes_are_those_of_the_table(ragged):
    latents = [np.full((3, 2, 5), 7, np.int8), np.full((3, 4, 1) if ragged else (3, 2, 5), -9, np.int8)]
    data = pack(latents, {"label": np.array([4, 5], np.int32)}, coder_id=9)
    assert data[0:4] == b"WLC1"
    assert data[4] == 9
    assert data[5] == 2
    assert struct.unpack_from("<HHH", data, 6) == (2, 3, int(ragged))
    assert data[12:20].hex() == FINGERPRINT
    columns_bytes, columns_crc, header_crc = struct.unpack_from("<III", data, 20)
    assert struct.unpack_from("<3I", data, 32) == ((0, 0, 0) if ragged else (2, 5, 0))
    assert struct.unpack_from("<2I", data, 44) == (15, 15 + (6 if ragged else 15))
    assert struct.unpack_from("<2I", data, 52) == tuple(zlib.crc32(z.tobytes()) for z in latents)
    at = 60
    if ragged:
        assert struct.unpack_from("<4I", data, at) == (2, 5, 4, 1)
        at += 16
    assert zlib.crc32(data[:28] + bytes(4) + data[32:at]) == header_crc
    payloads = payload(latents[0]) + payload(latents[1])
    assert data[at : at + len(payloads)] == payloads
    columns = data[at + len(payloads) :]
    assert (len(columns), zlib.crc32(columns)) == (columns_bytes, columns_crc)


def example(ragged=False):
    shapes = [(2, 3, 2), (2, 1, 4) if ragged else (2, 3, 2), (2, 3, 2)]
    latents = [np.arange(np.prod(shape), dtype=np.int8).reshape(shape) for shape in shapes]
    return pack(latents, {"label": np.arange(3, dtype=np.int32), "key": ["a", "b", "c"]})


def same(one: Record, other: Record) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))


@pytest.mark.parametrize("ragged", [False, True])
def test_every_flipped_bit_is_found_or_changes_nothing(ragged):
    data = example(ragged)
    record = Record.parse(data, where="here")
    start, size = record.columns_at
    payloads = range(int(record.segments[0, 0]), start)
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            if place in payloads:
                assert same(Record.parse(flipped, where="here"), record)
            elif place >= start:
                for only in (None, "label", "key", "none"):
                    with pytest.raises(FormatError, match="here: the columns are damaged"):
                        Record.parse(flipped, where="here").columns(flipped, where="here", only=only)
            else:
                with pytest.raises(FormatError, match="here"):
                    Record.parse(flipped, where="here")
    assert start + size == len(data)


@pytest.mark.parametrize("ragged", [False, True])
def test_every_truncation_is_found(ragged):
    data = example(ragged)
    for length in range(len(data)):
        with pytest.raises(FormatError, match="here"):
            Record.parse(data[:length], where="here")
        with pytest.raises(FormatError, match="here"):
            Record.parse(data[:length], size=len(data), where="here")
    with pytest.raises(FormatError, match="here"):
        Record.parse(data + b"\0", where="here")


def signed(header: bytes, tables: bytes, rest: bytes = b"") -> bytes:
    """A record whose header CRC is right, whatever it says."""
    crc = zlib.crc32(header[:28] + bytes(4) + header[32:] + tables)
    return header[:28] + struct.pack("<I", crc) + header[32:] + tables + rest


def header(dims=2, samples=1, channels=3, flags=0, columns=0, shape=(4, 4, 0)) -> bytes:
    return HEADER.pack(b"WLC1", 1, dims, samples, channels, flags, bytes(8), columns, 0, 0, *shape)


MOST = 2**32 - 1
HOSTILE = {
    "no samples": (header(samples=0), b""),
    "no channels": (header(channels=0), bytes(8)),
    "no dims": (header(dims=0), bytes(8)),
    "four dims": (header(dims=4), bytes(8)),
    "unknown flag": (header(flags=2), bytes(8)),
    "an empty side": (header(shape=(0, 4, 0)), bytes(8)),
    "a cube of 2**96": (header(dims=3, channels=65535, shape=(MOST, MOST, MOST)), bytes(8)),
    "2**64 and a bit": (header(channels=1, shape=(MOST, MOST, 0)), bytes(8)),
    "just too many latents": (header(channels=1, shape=(MAX_LATENTS // 4 + 1, 4, 0)), bytes(8)),
    "too many in all": (header(samples=3, channels=1, shape=(MAX_LATENTS // 2, 1, 0)), bytes(24)),
    "ragged, too many": (header(flags=1), bytes(8) + struct.pack("<2I", MOST, MOST)),
    "ragged, an empty side": (header(flags=1), bytes(8) + struct.pack("<2I", 0, 5)),
    "payloads behind the end": (header(), struct.pack("<2I", 100, 0)),
    "payloads that go back": (header(samples=2), struct.pack("<4I", 5, 2, 0, 0)),
    "columns behind the end": (header(columns=MOST), bytes(8)),
    "samples that are not there": (header(samples=MAX_SAMPLES), bytes(8)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_with_a_right_crc_are_refused_and_allocate_little(name):
    data = signed(*HOSTILE[name])
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="here"):
            Record.parse(data, where="here")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=200))
def test_random_bytes_are_no_record(data):
    for hostile in (data, b"WLC1" + data):
        with pytest.raises(FormatError):
            Record.parse(hostile, where="here")


@given(st.integers(0, 5), st.integers(0, 4), st.integers(0, 3), st.integers(0, 3), st.binary(max_size=64))
def test_random_headers_with_a_right_crc_parse_within_their_bytes_or_not(dims, samples, channels, flags, rest):
    tables = 8 * samples + 4 * samples * dims * (flags & 1)
    data = signed(header(dims, samples, channels, flags), rest[:tables], rest[tables:])
    try:
        record = Record.parse(data, where="here")
    except FormatError:
        return
    assert int(record.segments.sum(1).max()) <= len(data)
    assert sum(np.prod(record.latent_shape(i)) for i in range(len(record))) <= MAX_LATENTS


def test_what_no_reader_would_take_is_not_written():
    sample = np.broadcast_to(np.zeros(1, np.int8), (1, MAX_LATENTS // 2 + 1))
    with pytest.raises(FormatError, match="fewer samples"):
        pack_record([b"", b""], [sample, sample], {}, coder_id=1, fingerprint=FINGERPRINT)
    with pytest.raises(FormatError, match="1 to 65535 samples"):
        pack_record([b""], [np.zeros((1, 1, 1, 1, 1), np.int8)], {}, coder_id=1, fingerprint=FINGERPRINT)
