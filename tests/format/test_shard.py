import hashlib
import struct
import tarfile
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from walloc_data.errors import FormatError
from walloc_data.format import ShardWriter, parse_index, read_index
from walloc_data.format.shard import ENTRY

MEMBERS = {"a-0.wlc": b"x" * 700, "a-0.cls": b"7", "a-1.wlc": b"", "a-2.wlc": b"y" * 512}


def write(path):
    with ShardWriter(path) as writer:
        for name, data in MEMBERS.items():
            writer.add(name, data, samples=3 if name.endswith("wlc") and data else 0)
    return writer


def test_tarfile_reads_what_was_written(tmp_path):
    writer = write(tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}
        assert all((m.mtime, m.uid, m.gid, m.mode, m.uname) == (0, 0, 0, 0o644, "") for m in tar.getmembers())
    assert found == MEMBERS
    data = (tmp_path / "a.tar").read_bytes()
    assert (writer.bytes, writer.digest.hexdigest()) == (len(data), hashlib.sha256(data).hexdigest())
    assert data[-1024:] == bytes(1024)
    assert writer.records == 2


def test_bytes_depend_on_members_alone(tmp_path):
    (tmp_path / "other").mkdir()
    for path in (tmp_path / "a.tar", tmp_path / "other" / "b.tar"):
        write(path)
    for suffix in (".tar", ".idx"):
        one, other = tmp_path / f"a{suffix}", tmp_path / "other" / f"b{suffix}"
        assert one.read_bytes() == other.read_bytes()


def test_index_bytes_are_those_of_the_table(tmp_path):
    write(tmp_path / "a.tar")
    data = (tmp_path / "a.idx").read_bytes()
    tar = (tmp_path / "a.tar").read_bytes()
    assert data[:4] == b"WLI1"
    assert struct.unpack_from("<IQII", data, 4) == (2, len(tar), zlib.crc32(data[24:]), 0)
    entries = [struct.unpack_from("<QII", data, 24 + 16 * i) for i in range(2)]
    assert [tar[offset : offset + size] for offset, size, _ in entries] == [MEMBERS["a-0.wlc"], MEMBERS["a-2.wlc"]]
    assert [samples for _, _, samples in entries] == [3, 3]
    assert len(data) == 24 + 2 * 16
    found, tar_bytes = read_index(tmp_path / "a.idx")
    assert [tuple(entry) for entry in found.tolist()] == entries
    assert tar_bytes == len(tar)


def test_bytes_of_an_index_are_parsed_as_files_are(tmp_path):
    write(tmp_path / "a.tar")
    data = (tmp_path / "a.idx").read_bytes()
    entries, tar_bytes = parse_index(data, "here")
    assert np.array_equal(entries, read_index(tmp_path / "a.idx")[0])
    assert tar_bytes == (tmp_path / "a.tar").stat().st_size
    with pytest.raises(FormatError, match=r"^here: damaged or cut short"):
        parse_index(data[:-1], "here")


def write_and_fail(writer):
    writer.add("a.wlc", b"x", samples=1)
    raise KeyError


def test_an_exception_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyError), ShardWriter(tmp_path / "a.tar") as writer:
        write_and_fail(writer)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_to_finish_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.tar").mkdir()  # no file can take this name
    with pytest.raises(IsADirectoryError), ShardWriter(tmp_path / "a.tar") as writer:
        writer.add("a.wlc", b"x", samples=1)
    assert not list(tmp_path.glob(".*"))


def test_temporary_files_say_that_they_are(tmp_path):
    with ShardWriter(tmp_path / "a.tar") as writer:
        writer.add("a.wlc", b"x", samples=1)
        assert [(path.name[0], path.suffix) for path in tmp_path.iterdir()] == [(".", ".tmp")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.idx", "a.tar"]


def test_every_flip_and_truncation_of_an_index_is_found_or_changes_nothing(tmp_path):
    write(tmp_path / "a.tar")
    path = tmp_path / "a.idx"
    data = path.read_bytes()
    entries, tar_bytes = read_index(path)
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 0x41
        path.write_bytes(flipped)
        try:
            found = read_index(path)
        except FormatError:
            continue
        # The size of the tar is held against the manifest, and the last word is for later versions.
        assert place in range(8, 16) or place in range(20, 24)
        assert np.array_equal(found[0], entries)
        assert (found[1] == tar_bytes) == (place >= 20)
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(FormatError, match=r"a\.idx: (not an index|damaged or cut short)"):
            read_index(path)


def index(entries, tar_bytes=10_000, records=None):
    body = np.array(entries, ENTRY).tobytes()
    count = len(entries) if records is None else records
    return struct.pack("<4sIQII", b"WLI1", count, tar_bytes, zlib.crc32(body), 0) + body


@pytest.mark.parametrize(
    "data",
    [
        index([(512, 100, 0)]),
        index([(512, 0, 1)]),
        index([(9_950, 100, 1)]),
        index([(2**64 - 50, 100, 1)]),
        index([(512, 100, 1), (600, 100, 1)]),
        index([(1024, 100, 1), (512, 100, 1)]),
        index([(512, 100, 1)], records=2**32 - 1),
        index([(512, 100, 1)], tar_bytes=0),
    ],
    ids=["no samples", "no bytes", "behind", "around", "overlap", "backwards", "many", "empty tar"],
)
def test_hostile_indices_are_refused(tmp_path, data):
    (tmp_path / "a.idx").write_bytes(data)
    with pytest.raises(FormatError, match=r"a\.idx"):
        read_index(tmp_path / "a.idx")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80))
def test_random_bytes_are_no_index(tmp_path, data):
    for hostile in (data, b"WLI1" + data):
        (tmp_path / "a.idx").write_bytes(hostile)
        with pytest.raises(FormatError):
            read_index(tmp_path / "a.idx")


def test_no_index(tmp_path):
    with pytest.raises(FormatError, match="cannot be read"):
        read_index(tmp_path / "none.idx")
