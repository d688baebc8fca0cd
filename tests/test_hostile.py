"""What docs/security.md says of files, keys and names that mean harm, or are damaged so that they seem to."""

import ast
import contextlib
import io
import json
import re
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import walloc_data
from tests.photographs import contents, window
from tests.test_shard import run
from walloc_data import ImageReader, LatentDataset, StreamingLatentDataset, VideoReader, open_source, verify_dataset
from walloc_data.errors import CodecError, FormatError, SampleError, SourceError, WallocError
from walloc_data.format.record import MAX_LATENTS
from walloc_data.report.info import describe_dataset
from walloc_data.signals import ArrayReader, AudioReader
from walloc_data.zoo import load_codec

PACKAGE = Path(walloc_data.__file__).parent
_SUSPECT = re.compile(
    r"eval|exec|compile|__import__|pickle|marshal|shelve|dill|subprocess|system|popen|load\(|shell|trust_remote"
)
NAMES = ["../x", "../../x", "/x", "a/../../x", "C:\\x", "..", ".", "CON", "a\nb", "x" * 3000, "\ud800", "*", "a\0b"]


def test_nothing_is_unpickled_evaluated_or_run():
    """The package sends work to its own processes by pickle, and takes weights alone from a file of torch.save."""
    sent = {("write/sending.py", "dumps"), ("write/sending.py", "loads")}  # the second of what it just pickled itself
    taken = {("write/local.py", "loads"), ("write/ray_node.py", "loads")}
    allowed = sent | taken | {("checkpoints.py", "torch.load")}
    found = set()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)) if _SUSPECT.search(text) else ():
            called = node.func if isinstance(node, ast.Call) else None
            place = path.relative_to(PACKAGE).as_posix()
            if isinstance(called, ast.Name) and called.id in ("eval", "exec", "compile", "__import__"):
                found.add((place, called.id))
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
                name = f"{called.value.id}.{called.attr}"
                if called.value.id in ("pickle", "marshal", "shelve", "dill", "subprocess"):
                    found.add((place, called.attr))
                if name == "torch.load":
                    given = {word.arg: word.value for word in node.keywords}
                    assert isinstance(given["weights_only"], ast.Constant), place
                    assert given["weights_only"].value is True, place
                if name in ("os.system", "os.popen", "torch.load", "yaml.load", "joblib.load", "pandas.read_pickle"):
                    found.add((place, name))
            if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell", "trust_remote_code"):
                assert isinstance(node.value, ast.Constant), place
                assert node.value.value is False, place
    assert found == allowed


def test_the_page_names_tests_that_there_are_and_limits_as_they_are():
    root = Path(__file__).parents[1]
    page = (root / "docs" / "security.md").read_text("utf-8")
    named = re.findall(r"`(tests/[a-z_/.]+)`", page)
    assert len(named) > 9
    assert all((root / name).exists() for name in named)
    powers = dict(re.findall(r"^\| (an? \w+) \| .*?2\^(\d+)", page, re.MULTILINE))
    limits = {
        "a record": MAX_LATENTS,
        "a picture": ImageReader().max_pixels,
        "a recording": AudioReader().max_samples,
        "a film": VideoReader().max_pixels,
        "an array": ArrayReader().max_values,
    }
    assert {name: 1 << int(power) for name, power in powers.items()} == limits


@pytest.mark.parametrize("layout", ["records", "samples"])
def test_keys_and_fields_name_no_files(codec, tmp_path, layout):
    """They are written into columns as they are; names of members and of files are ours."""
    samples = [
        {"image": window("chelsea", n), "key": name, "label": name, name[:200]: name, "file": name}
        for n, name in enumerate(NAMES)
    ]
    out = tmp_path / "in" / "out"
    assert run(samples, out, codec, layout=layout).samples == len(NAMES)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]
    assert {path.name.replace(".idx", ".tar") for path in out.iterdir()} == {
        *("train-00000.tar", "walloc.json", "codec.safetensors", "README.md", ".walloc-journal.jsonl")
    }
    with tarfile.open(out / "train-00000.tar") as tar:
        assert all(name.startswith("train-00000-") and "/" not in name for name in tar.getnames())
    dataset = LatentDataset(out)
    assert {dataset.fields(n)["file"] for n in range(len(dataset))} == {
        name.replace("\ud800", "\ufffd") for name in NAMES
    }
    assert verify_dataset(out, deep=True) == []
    before = contents(tmp_path)
    describe_dataset(out)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a\\b", "..", "", ".x", "a:b", "a\0b", "a\nb", 'a"b', "x" * 300, "\ud800"]
)
def test_a_split_that_would_lead_out_of_the_folder_is_refused(codec, tmp_path, name):
    with pytest.raises(SourceError, match="no file can be called as the split"):
        run({name: [window("chelsea", 1)]}, tmp_path / "in" / "out", codec)
    assert list(tmp_path.iterdir()) == []
    assert run({"Ω é.100": [window("chelsea", 1)]}, tmp_path / "in" / "out", codec).samples == 1


def test_a_manifest_names_no_files_elsewhere(copy):
    """Nor any that a split of it does not have."""
    path, secret = copy / "walloc.json", copy.parent / "secret.tar"
    content = json.loads(path.read_text())
    del content["checksum"]
    secret.write_bytes((copy / "train-00000.tar").read_bytes())
    for name in ("../secret.tar", str(secret), "..\\secret.tar", "a\0.tar", "\ud800.tar"):
        content["splits"]["train"][0]["name"] = name
        path.write_text(json.dumps(content))
        for opened in (LatentDataset, describe_dataset):
            with pytest.raises(FormatError, match="not a file name that ends with"):
                opened(copy)
        assert any("not a file name that ends with" in damage.what for damage in verify_dataset(copy))
    content["splits"]["train"][0]["name"] = "train-00000.tar"
    for split in ("../x", "/x", "a\\b", "a\0b", "", "\ud800"):
        path.write_text(json.dumps({**content, "splits": {split: content["splits"]["train"]}}))
        with pytest.raises(FormatError, match="a split has a name that none of its files can begin with"):
            LatentDataset(copy, split)


def odd(content, *place):
    def put(value):
        inner = content
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value

    return put


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("classes",), ["a", {"b": 1}]),
        (("classes",), {"label": "cat"}),
        (("classes",), "cat"),
        (("columns",), ["label"]),
        (("options",), 5),
        (("splits",), []),
        (("splits", "train"), "x"),
        (("splits", "train", 0, "sha256"), "\ud800"),
        (("splits", "train", 0, "sha256"), None),
        (("splits", "train", 0, "source"), 5),
    ],
)
def test_a_manifest_of_other_types_is_one_error(copy, place, value):
    content = json.loads((copy / "walloc.json").read_text())
    del content["checksum"]
    odd(content, *place)(value)
    (copy / "walloc.json").write_text(json.dumps(content))
    with pytest.raises(FormatError, match=r"walloc.json: damaged \("):
        LatentDataset(copy)


@pytest.mark.parametrize("block", [7, 9])
def test_records_of_other_sizes_than_the_manifest_says_are_one_error(copy, block):
    content = json.loads((copy / "walloc.json").read_text())
    del content["checksum"]
    content["block"] = block
    (copy / "walloc.json").write_text(json.dumps(content))
    with pytest.raises(WallocError):
        LatentDataset(copy).__getitems__(list(range(60)))
    with pytest.raises(WallocError):
        list(StreamingLatentDataset(copy, batch_size=8))


def test_a_codec_without_metadata_is_one_error(tmp_path):
    whole = (PACKAGE / "weights" / "rgb-f8c12.safetensors").read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    for odd_one in (None, {}, {"walloc": "[]"}, {"walloc": "[1]"}, {"walloc": "null"}):
        text = json.dumps({**header, "__metadata__": odd_one}).encode()
        path = tmp_path / "codec.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + length :])
        with pytest.raises(CodecError):
            load_codec(path)


def header_of(text):
    return b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text.encode("latin-1")


@pytest.mark.parametrize(
    "data",
    [
        header_of("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 100000), }\n") + bytes(80),
        header_of("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n") + bytes(80),
        header_of("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n") + b"cos\nsystem\n(S'true'\ntR.",
        header_of("{'descr': '<f8', 'fortran_order': False, 'shape': (2, \n"),
        header_of("\x8c" * 50),
        header_of("(" * 500),
        header_of("__import__('os').system('true')"),
        b"\x93NUMPY\x09\0",
        b"",
    ],
    ids=range(9),
)
def test_arrays_in_tars_allocate_no_more_than_there_is(tmp_path, data):
    picture = io.BytesIO()
    window("chelsea", 1).save(picture, "PNG")
    with tarfile.open(tmp_path / "data.tar", "w") as tar:
        for name, content in (("a.png", picture.getvalue()), ("a.npy", data)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    [split] = open_source(tmp_path / "data.tar", suffixes=ImageReader().suffixes).splits.values()
    tracemalloc.start()
    with pytest.raises(SampleError, match="its npy is damaged"):
        split[0]
    assert tracemalloc.get_traced_memory()[1] < 1 << 21
    tracemalloc.stop()


@pytest.mark.parametrize(
    "size", [b"\x80" + b"\xff" * 11, b"\xff" * 12, b"-0000000777\0", b"00000000089\0", b"77777777777\0"], ids=range(5)
)
@pytest.mark.parametrize("pax", [None, "9" * 18, "9" * 5000, "-1", "²", "x"])
def test_sizes_in_tars_are_no_more_than_numbers(tmp_path, size, pax):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("a.png", "b.png"):
            member = tarfile.TarInfo(name)
            member.size = 700
            member.pax_headers = {} if pax is None else {"size": pax}
            tar.addfile(member, io.BytesIO(bytes(700)))
    data = bytearray(file.getvalue())
    at = data.index(b"a.png") if pax is None else data.index(b"a.png", 512)
    data[at + 124 : at + 136] = size
    data[at + 148 : at + 156] = b" " * 8
    data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    (tmp_path / "data.tar").write_bytes(data)
    source = open_source(tmp_path / "data.tar", suffixes=ImageReader().suffixes)
    for split in source.splits.values():
        for number in range(len(split)):
            with contextlib.suppress(SampleError):
                assert len(split[number].data) <= 1400


def test_errors_are_of_one_line_whatever_names_hold(tmp_path):
    (tmp_path / "list.csv").write_text('"na\nme"\n1\n')
    with pytest.raises(SourceError, match=r"it has na me: rename"):
        open_source(tmp_path / "list.csv", suffixes=ImageReader().suffixes)


def test_parquet_whose_names_are_no_text_is_one_error(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"picture": [b"data"], "name_of_it": ["a"]}), path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"name_of_it", b"\xff" * 10))
    with pytest.raises(SourceError, match=r"a\.parquet"):
        open_source(path, suffixes=ImageReader().suffixes)


def test_a_field_whose_name_no_column_can_have_costs_its_sample_alone(codec, tmp_path):
    samples = [{"image": window("chelsea", n), "x" * length: n} for n, length in enumerate((255, 256, 3000))]
    assert run(samples, tmp_path / "out", codec).skipped == 2
    assert "has a name of more than 255 bytes" in (tmp_path / "out" / "errors.jsonl").read_text()


def test_numpy_writes_what_members_read(tmp_path):
    from walloc_data.sources.members import fields_of

    cube = np.arange(24.0).reshape(2, 3, 4)
    for array in (cube, np.asfortranarray(cube), cube[..., :0], np.array(3, np.int16), np.array([True, False])):
        file = io.BytesIO()
        np.save(file, array)
        found = fields_of({"npy": file.getvalue()}, "here")["npy"]
        assert (found.dtype, found.shape, found.flags.writeable) == (array.dtype, array.shape, True)
        assert np.array_equal(found, array)
