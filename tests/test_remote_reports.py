"""`walloc info`, `view` and `check` of datasets that are elsewhere."""

import re
import shutil
from pathlib import Path

import fsspec
import pytest

from tests.http_server import FileServer
from walloc_data import StorageOptions, verify
from walloc_data.cli import main
from walloc_data.errors import DatasetError
from walloc_data.verify import verify_dataset

SHARD = "train-00001.tar"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WALLOC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(copy):
    """A server of a dataset that may be damaged."""
    with FileServer(copy) as running:
        running.signature = "sig=SECRET"
        yield running


@pytest.fixture
def bucket(dataset):
    system = fsspec.filesystem("memory")
    system.put(str(dataset), "/reports/data", recursive=True)
    yield "memory://reports/data"
    system.rm("/reports", recursive=True)


@pytest.fixture
def urls(server, hub, dataset, bucket):
    """One of each kind."""
    hub.put("datasets", "ann/latents", {path.name: path.read_bytes() for path in dataset.iterdir()})
    return [f"{server.url}?sig=SECRET", "hf://ann/latents", bucket, dataset.as_uri()]


def test_info_says_of_a_url_what_it_says_of_the_folder(urls, dataset, capsys):
    def told(address):
        assert main(["info", str(address)]) == 0
        text = capsys.readouterr().out
        assert "SECRET" not in text
        return text

    def figures(text):
        """The lines that do not depend on what else lies in the folder."""
        others = ("classes", "images")  # the second says bits a pixel, of all bytes
        return [line for line in text.splitlines()[1:] if "%" not in line and not line.startswith(others)]

    expected = figures(told(dataset))
    assert "samples in 4 shards" in "".join(expected)
    for url in urls:
        text = told(url)
        assert figures(text) == expected
        assert text.startswith(f"{url.split('?')[0].removeprefix('file://')}: 72 samples, ")
        assert "  payloads\n" in text
        assert "\nclasses 3: astronaut, chelsea, flower\n" in text or url.startswith("file:")
        assert "  walloc.json\n" in text or url.startswith("file:")


def test_info_of_a_url_reads_few_records(server, capsys):
    assert main(["info", f"{server.url}?sig=SECRET"]) == 0
    # manifest, codec, and of each of five shards its index and two records of eight samples
    assert server.requests == 2 + 5 + 10
    assert main(["info", f"{server.url}?sig=SECRET"]) == 0
    assert server.requests == 2 + 5 + 10


def test_view_draws_from_a_url(urls, tmp_path, capsys):
    for number, url in enumerate(urls):
        picture = tmp_path / f"{number}.png"
        assert main(["view", url, str(picture), "--count", "3"]) == 0
        assert picture.read_bytes() == (tmp_path / "0.png").read_bytes()
    assert "SECRET" not in capsys.readouterr().out


def test_check_of_what_is_whole(urls, cache, capsys):
    for url in urls:
        assert main(["check", url]) == 0
        assert capsys.readouterr().out == f"{url.split('?')[0].removeprefix('file://')}: whole\n"
    assert not cache.exists()


def test_check_streams_through_faults(server, copy, monkeypatch):
    monkeypatch.setattr(verify, "_CHUNK", 1000)
    server.faults = dict.fromkeys(("reset", "truncated", "503", "close"), 0.01)
    assert verify_dataset(f"{server.url}?sig=SECRET") == []
    assert server.requests > sum(path.stat().st_size for path in copy.glob("*.tar")) / 1000


def damaged(folder, name, how):
    path = folder / name
    data = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        half = len(data) // 2
        flipped = data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :]
        changed = {"flipped": flipped, "longer": data + b"x", "cut": data[:-9]}
        path.write_bytes(changed[how])


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("flipped", "is damaged (its sha256 is not that of the manifest)"),
        ("longer", " bytes, not "),
        ("cut", " bytes, not "),
        ("missing", ": not found (404)"),
    ],
)
def test_check_names_what_is_damaged_past_the_cache(server, copy, capsys, how, says):
    url = f"{server.url}?sig=SECRET"
    assert main(["info", url]) == 0  # which keeps copies
    capsys.readouterr()
    damaged(copy, SHARD, how)
    assert main(["check", url]) == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{server.url}/{SHARD}")
    assert says in out
    assert out.count("\n") == 1
    assert err.startswith(f"error: 1 files of {server.url} are damaged or cannot be read")
    assert "SECRET" not in out + err


def test_check_of_indices_and_codec(server, copy, capsys):
    url = f"{server.url}?sig=SECRET"
    shutil.copy(copy / "val-00000.idx", copy / "train-00000.idx")
    damaged(copy, "train-00002.idx", "cut")
    assert [str(one) for one in verify_dataset(url)] == [
        f"{server.url}/train-00000.idx is not of the shard that the manifest describes: copy it again, or reshard",
        f"{server.url}/train-00002.idx: damaged or cut short",
    ]
    damaged(copy, "codec.safetensors", "flipped")
    assert main(["check", url]) == 1
    assert "codec.safetensors is not the one that walloc.json names" in capsys.readouterr().out


def test_a_server_that_goes_away_is_no_damage(server):
    url, options = f"{server.url}?sig=SECRET", StorageOptions(retries=0)
    server.script = ["", "", "", "", "503"]
    with pytest.raises(DatasetError, match="the server answered 503; given up"):
        verify_dataset(url, storage=options)
    server.signature = "sig=another"
    with pytest.raises(DatasetError, match=r"access refused \(403\)"):
        verify_dataset(url, storage=options)


def test_the_page_on_remote_data_runs(hub, dataset, tmp_path, monkeypatch):
    page = (Path(__file__).parents[1] / "docs" / "remote.md").read_text("utf-8")
    hub.put("datasets", "user/name", {path.name: path.read_bytes() for path in dataset.iterdir()})
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(code, names)
    assert len(names["train"]) == 60
    assert (tmp_path / "latents-cache").is_dir()
    (command,) = re.findall(r"```\nwalloc (verify .*?)\n```", page)
    assert main(command.split()) == 0
