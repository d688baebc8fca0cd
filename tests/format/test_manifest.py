import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from walloc_data.errors import FormatError
from walloc_data.format import Manifest, ShardInfo, Summary
from walloc_data.format.manifest import replace_file

SHARD = {"name": "train-00000.tar", "samples": 5, "records": 1, "bytes": 4096, "payload_bytes": 99, "sha256": "00"}


def manifest(**other):
    fields = {
        "codec": "rgb-f8c12",
        "fingerprint": "0123456789abcdef",
        "codec_sha256": "00" * 32,
        "coder": "zstd",
        "layout": "records",
        "block": 8,
        "splits": {"train": [ShardInfo(**SHARD)]},
        "classes": {"label": ["cat", "жираф"]},
        "options": {"read": {"size": 64}},
        "summary": Summary(samples=5),
    }
    return Manifest(**fields | other)


def edited(folder, edit):
    manifest().write(folder)
    content = json.loads((folder / "walloc.json").read_text("utf-8"))
    edit(content)
    (folder / "walloc.json").write_text(json.dumps(content), "utf-8")
    return folder


def test_manifests_come_back(tmp_path):
    for one in (manifest(), manifest(classes={}), manifest(plan="x", options={})):
        one.write(tmp_path)
        assert Manifest.read(tmp_path) == one
        assert [path.name for path in tmp_path.iterdir()] == ["walloc.json"]
    assert manifest().samples("train") == 5
    several = manifest(classes={"label": ["a"], "colour": ["red"]}, columns={"label": "int32", "box": "float32[4]"})
    several.write(tmp_path)
    assert Manifest.read(tmp_path) == several


def test_bytes_are_parsed_as_files_are(tmp_path):
    manifest().write(tmp_path)
    data = (tmp_path / "walloc.json").read_bytes()
    assert Manifest.parse(data, "here") == manifest()
    for damaged in (data[:-9], b"{}", data.replace(b'"version": 1', b'"version": 2'), data.replace(b".tar", b".zip")):
        with pytest.raises(FormatError, match=r"^here: "):
            Manifest.parse(damaged, "here")


def test_names_that_are_no_utf8_come_back(tmp_path):
    manifest(classes={"label": ["caf\udce9", "é"]}).write(tmp_path)
    (tmp_path / "walloc.json").read_bytes().decode("utf-8")
    assert Manifest.read(tmp_path).classes == {"label": ["caf\udce9", "é"]}


def test_a_later_version_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(FormatError, match=r"version 3; this walloc_data reads 1 and 2: upgrade"):
        Manifest.read(edited(tmp_path, lambda content: content.update(version=3)))


def test_what_a_later_writer_of_this_version_adds_is_ignored(tmp_path):
    def add(content):
        content["new"] = {"a": 1}
        content["splits"]["train"][0]["new"] = 2
        content["summary"]["new"] = [3]

    assert Manifest.read(edited(tmp_path, add)) == manifest()


@pytest.mark.parametrize(
    "name", ["../evil.tar", "/etc/evil.tar", "a/b.tar", "..", "", "train.idx", 5, None, ["a.tar"], "./a.tar"]
)
def test_shards_outside_the_folder_are_refused(tmp_path, name):
    with pytest.raises(FormatError, match="damaged"):
        Manifest.read(edited(tmp_path, lambda content: content["splits"]["train"][0].update(name=name)))


@pytest.mark.parametrize(
    "change",
    [
        {"layout": "other"},
        {"splits": []},
        {"splits": {}},
        {"splits": {"train": 5}},
        {"splits": {"train": ["a.tar"]}},
        {"splits": {"train": [{"name": "a.tar"}]}},
        {"splits": {"train": [SHARD | {"samples": -1}]}},
        {"block": 0},
        {"block": "8"},
        {"block": 4},
        {"layout": "samples"},
        {"splits": {"train": [SHARD | {"bytes": 1.5}]}},
        {"splits": {"train": [SHARD | {"bytes": "many"}]}},
        {"classes": 5},
        {"classes": [1, 2]},
        {"classes": {"label": 3}},
        {"columns": ["label"]},
        {"columns": {"label": 3}},
        {"fingerprint": None},
        {"coder": 1},
        {"summary": []},
        {"summary": {"samples": "5"}},
        {"summary": {"psnr": "high"}},
        {"options": "x"},
    ],
    ids=str,
)
def test_damaged_manifests_are_refused(tmp_path, change):
    with pytest.raises(FormatError, match=r"walloc\.json"):
        Manifest.read(edited(tmp_path, lambda content: content.update(change)))


@pytest.mark.parametrize("name", ["codec", "fingerprint", "coder", "layout", "splits", "version", "format"])
def test_missing_fields_are_refused(tmp_path, name):
    with pytest.raises(FormatError, match=r"walloc\.json"):
        Manifest.read(edited(tmp_path, lambda content: content.pop(name)))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": "walloc"}'])
def test_other_files_are_refused(tmp_path, data):
    (tmp_path / "walloc.json").write_bytes(data)
    with pytest.raises(FormatError, match=r"walloc\.json"):
        Manifest.read(tmp_path)


def test_no_manifest(tmp_path):
    with pytest.raises(FormatError, match="is not a dataset"):
        Manifest.read(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(place=st.integers(0, 600), byte=st.integers(0, 255))
def test_a_changed_byte_gives_a_manifest_or_a_format_error(tmp_path, place, byte):
    manifest().write(tmp_path)
    data = bytearray((tmp_path / "walloc.json").read_bytes())
    data[place % len(data)] = byte
    (tmp_path / "walloc.json").write_bytes(data)
    try:
        found = Manifest.read(tmp_path)
    except FormatError:
        return
    assert all(shard.name.endswith(".tar") for of_split in found.splits.values() for shard in of_split)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    replace_file(path, "one")
    path.chmod(0o444)
    replace_file(path, "two")
    assert path.read_text() == "two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
