"""Both layouts are WebDatasets to others: `webdataset` and Hugging Face `datasets`, from a folder and over HTTP."""

import gc
import pickle
import re
from pathlib import Path

import datasets
import huggingface_hub
import pytest
import torch
import webdataset
from torch.utils.data import DataLoader

from tests.http_server import FileServer
from tests.photographs import contents
from walloc_data import LatentDataset, latent_decoder
from walloc_data.errors import FormatError
from walloc_data.format import Record

# webdataset and datasets leave the last tar they read to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def _collect_what_they_leave():
    yield
    gc.collect()  # takes a second late in the suite, so once: the mark above holds for the last test's end too


@pytest.fixture(params=["records", "samples"])
def out(request, dataset, samples_dataset):
    """A dataset of each layout."""
    return dataset if request.param == "records" else samples_dataset


def tars(out, split="train"):
    return sorted(str(path) for path in out.glob(f"{split}-*.tar"))


def by_key(out, split="train"):
    """Latents and label of every sample, by key, as `LatentDataset` reads them."""
    dataset = LatentDataset(out, split)
    return {dataset.fields(i)["key"]: dataset[i] for i in range(len(dataset))}


def flat(out, pipeline):
    """(key, latents, label) of each sample of a decoded pipeline of either layout."""
    for member in pipeline:
        if isinstance(member["wlc"], list):
            yield from ((one["key"], one["latents"], one["label"]) for one in member["wlc"])
        else:
            yield member["json"]["key"], member["wlc"], member["cls"]


def web(urls):
    return webdataset.WebDataset(urls, shardshuffle=False, empty_check=False)


def test_webdataset_decodes_the_same(out):
    expected = by_key(out)
    found = list(flat(out, web(tars(out)).decode(latent_decoder(out))))
    assert [key for key, _, _ in found] == list(expected)
    for key, latents, label in found:
        assert torch.equal(latents, expected[key][0])
        assert latents.dtype == torch.int8
        assert label == expected[key][1]


def test_webdataset_in_workers(out):
    # A handler that could be forked but not pickled would fail here.
    pipeline = web(tars(out)).decode(latent_decoder(out))
    loader = DataLoader(pipeline, batch_size=None, num_workers=1, multiprocessing_context="spawn")
    assert sorted(key for key, _, _ in flat(out, loader)) == sorted(by_key(out))


def test_webdataset_reads_members_without_us(out):
    members = list(web(tars(out)))
    assert len({member["__key__"] for member in members}) == len(members)
    assert all("." not in member["__key__"] for member in members)
    assert sum(len(Record.parse(member["wlc"], where="")) for member in members) == 60


def test_columns_of_a_record(dataset):
    first = next(iter(web(tars(dataset)).decode(latent_decoder(dataset))))["wlc"]
    assert len(first) == 8
    fields = {name: value for name, value in first[3].items() if name != "latents"}
    assert fields == LatentDataset(dataset).fields(3)


def test_the_decoder_leaves_other_members_alone(dataset):
    decode = latent_decoder(dataset)
    assert decode(".cls", b"3") is None
    assert decode(".json", b"{}") is None


def test_the_decoder_can_be_pickled(samples_dataset):
    member = next(iter(web(tars(samples_dataset))))["wlc"]
    decode = latent_decoder(samples_dataset)
    assert torch.equal(pickle.loads(pickle.dumps(decode))("x.wlc", member), decode("x.wlc", member))


def test_the_decoder_refuses_damage_and_strangers(out, ragged_dataset):
    member = next(iter(web(tars(out))))["wlc"]
    decode = latent_decoder(out)
    for at in (0, 13, 50, int(Record.parse(member, where="").segments[0, 0]) + 9):
        damaged = bytearray(member)
        damaged[at] ^= 0x10
        with pytest.raises(FormatError, match=r"member x\.wlc"):
            decode("x.wlc", bytes(damaged))
    for cut in (0, 10, 100, len(member) - 1):
        with pytest.raises(FormatError, match=r"member x\.wlc"):
            decode("x.wlc", member[:cut])
    stranger = bytearray(member)
    stranger[12] ^= 1
    with pytest.raises(FormatError):
        decode("x.wlc", bytes(stranger))


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """`datasets` without a network, and with its cache in a folder of this test's."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    return datasets


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_reads_the_same(out, offline, tmp_path, streaming):
    loaded = offline.load_dataset(
        "webdataset",
        data_files={"train": tars(out)},
        split="train",
        streaming=streaming,
        cache_dir=str(tmp_path / "cache"),
    )
    expected, decode = by_key(out), latent_decoder(out)
    rows = [dict(row) | {"wlc": decode("x.wlc", row["wlc"])} for row in loaded]
    found = list(flat(out, rows))
    assert [key for key, _, _ in found] == list(expected)
    for key, latents, label in found:
        assert torch.equal(latents, expected[key][0])
        assert label == expected[key][1]


def test_the_code_of_the_page_runs(dataset, samples_dataset, offline, tmp_path, monkeypatch):
    (tmp_path / "latents").symlink_to(dataset)
    (tmp_path / "samples").symlink_to(samples_dataset)
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[1] / "docs" / "other-readers.md"
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        exec(compile(block, page.name, "exec"), names)
    assert len(names["samples"]) == 8
    assert names["latents"].shape == (12, 8, 8)


@pytest.fixture
def served(out):
    """The dataset's URL, and those of its tars."""
    with FileServer(out) as server:
        yield server.url, [f"{server.url}/{path.name}" for path in sorted(out.glob("train-*.tar"))]


def test_webdataset_reads_over_http(out, served):
    url, urls = served
    expected = by_key(out)
    found = {key: (latents, label) for key, latents, label in flat(out, web(urls).decode(latent_decoder(url)))}
    assert list(found) == list(expected)
    assert all(torch.equal(x, expected[key][0]) and y == expected[key][1] for key, (x, y) in found.items())


def test_datasets_streams_over_http(out, served, tmp_path, monkeypatch):
    url, urls = served
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    loaded = datasets.load_dataset("webdataset", data_files={"train": urls}, split="train", streaming=True)
    expected, decode = by_key(out), latent_decoder(url)
    rows = [dict(row) | {"wlc": decode("x.wlc", row["wlc"])} for row in loaded]
    found = {key: (latents, label) for key, latents, label in flat(out, rows)}
    assert list(found) == list(expected)
    assert all(torch.equal(x, expected[key][0]) and y == expected[key][1] for key, (x, y) in found.items())


def test_the_card_names_the_splits(out, offline, tmp_path):
    loaded = offline.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "val"}
    counts = {split: sum(len(Record.parse(row["wlc"], where="")) for row in loaded[split]) for split in loaded}
    assert counts == {"train": 60, "val": 12}


def test_reading_writes_nothing(out):
    before = contents(out)
    list(web(tars(out)).decode(latent_decoder(out)))
    read = LatentDataset(out)
    assert len(read.targets) == len(read.__getitems__(range(60)))
    assert contents(out) == before
