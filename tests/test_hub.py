"""Pushing to the Hub, by its real client and to a server that speaks its protocol."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, constants, snapshot_download
from PIL import Image

from tests.photographs import contents
from walloc_data import LatentDataset
from walloc_data.cli import main
from walloc_data.errors import CodecError, DatasetError, FormatError
from walloc_data.format import Manifest, Summary
from walloc_data.format.card import dataset_card
from walloc_data.hub.push import check_push, push_dataset
from walloc_data.report.view import small_picture

# The client gives files to its HTTP library in a way that the latter would like to see the end of.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO = "ann/latents"
FLAGS = ["--read", "size=64", "--block", "8", "--shard-samples", "16", "--workers", "1", "--quiet"]
UPLOAD = "PUT /(upload|part)"


@pytest.fixture
def ann(hub, monkeypatch):
    """Ann, logged in."""
    token = hub.token("ann")
    monkeypatch.setenv("HF_TOKEN", token)
    return token


@pytest.fixture(autouse=True)
def _small_commits_and_no_waiting(monkeypatch):
    monkeypatch.setattr("walloc_data.hub.push._COMMIT_FILES", 4)
    monkeypatch.setattr("walloc_data.hub.push._TOGETHER", 2)
    monkeypatch.setattr("walloc_data.hub.repo._WAITS", (0.01, 0.01))


def data_files(out: Path) -> dict[str, bytes]:
    """What of a dataset goes to the Hub as it is."""
    ours = ("README.md", "errors.jsonl")
    return {name: data for name, data in contents(out).items() if name not in ours and not name.startswith(".")}


def pushed(hub, repo=REPO, revision="main"):
    """What of a repository is the dataset's."""
    files = hub.dataset(repo).files(revision)
    return {
        name: entry.data for name, entry in files.items() if name not in (".gitattributes", "README.md", "samples.jpg")
    }


def card(hub, repo=REPO) -> DatasetCard:
    return DatasetCard(hub.dataset(repo).files()["README.md"].data.decode())


@pytest.mark.parametrize("chunk", [None, 4000])
def test_pushed_and_read_back(hub, ann, dataset, tmp_path, chunk):
    hub.chunk, hub.page = chunk, 3
    before = contents(dataset)
    assert push_dataset(dataset, REPO) == f"{hub.endpoint}/datasets/ann/latents"
    assert contents(dataset) == before
    assert pushed(hub) == data_files(dataset)
    folder = Path(snapshot_download(REPO, repo_type="dataset", local_dir=tmp_path / "copy"))
    assert {name: data for name, data in contents(folder).items() if name in before and name != "README.md"} == (
        data_files(dataset)
    )
    ours, theirs = LatentDataset(dataset), LatentDataset(folder)
    assert all((ours[i][0] == theirs[i][0]).all() for i in range(len(ours)))
    assert hub.leaks == []
    assert bool(hub.count("PUT /part")) == (chunk is not None)


def test_shards_first_and_the_manifest_last(hub, ann, dataset):
    push_dataset(dataset, REPO)
    commits = [set(files) for files in hub.dataset(REPO).commits.values()]
    assert [len(files) for files in commits] == [1, 5, 9, 12, 15]
    assert ["walloc.json" in files for files in commits] == [False] * 4 + [True]
    assert {"README.md", "samples.jpg", "walloc.json"} == commits[-1] - commits[-2]


@pytest.mark.parametrize("relative_redirects", [False, True])
def test_a_second_push_sends_nothing(hub, ann, dataset, relative_redirects):
    hub.relative_redirects = relative_redirects
    push_dataset(dataset, REPO, license="mit")
    commits = len(hub.dataset(REPO).commits)
    hub.forget_requests()
    push_dataset(dataset, REPO, license="mit")
    push_dataset(dataset, REPO)
    assert len(hub.dataset(REPO).commits) == commits
    assert hub.count(r"PUT|/commit/|/preupload/") == 0
    push_dataset(dataset, REPO, license="cc-by-4.0")
    assert hub.count(UPLOAD) == 0
    assert len(hub.dataset(REPO).commits) == commits + 1


@pytest.mark.parametrize("after", [0, 1, 5, 11])
def test_a_push_that_breaks_off_goes_on_where_it_stopped(hub, ann, dataset, after):
    hub.fail(UPLOAD, 403, after=after, times=1000, body=b"no")
    with pytest.raises(DatasetError, match="the token may not do this"):
        push_dataset(dataset, REPO)
    assert "walloc.json" not in pushed(hub)
    hub.rules.clear()
    kept = len(hub.stored)
    assert kept >= after
    hub.forget_requests()
    push_dataset(dataset, REPO)
    assert pushed(hub) == data_files(dataset)
    assert hub.count(UPLOAD) == len(hub.stored) - kept
    assert hub.count(UPLOAD) + kept == 12


@pytest.fixture
def held_push(hub, ann, dataset):
    """A push in a process of its own: two files have come through, and the storage waits with the others."""
    gate = threading.Event()
    hub.fail(UPLOAD, hold=gate, after=2, times=1000)
    code = "import sys; from walloc_data.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "push", str(dataset), REPO],
        env={**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_XET": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while hub.count(UPLOAD) < 7:  # the client sends five at a time
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.2)  # its main thread then waits for the five
        yield process, gate
    finally:
        gate.set()
        process.kill()
        process.communicate()


def test_a_killed_push_goes_on_where_it_stopped(hub, held_push, dataset):
    process, _ = held_push
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "walloc.json" not in pushed(hub)
    assert len(hub.stored) == 2
    hub.rules.clear()
    hub.forget_requests()
    push_dataset(dataset, REPO)
    assert pushed(hub) == data_files(dataset)
    assert hub.count(UPLOAD) == 10


def test_an_interrupted_push_says_what_is_kept(hub, held_push):
    process, gate = held_push
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    gate.set()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == "interrupted: what was sent is kept; run the same command again to go on"


def test_a_private_repository(hub, ann, dataset, monkeypatch):
    push_dataset(dataset, REPO, private=True)
    assert hub.dataset(REPO).private
    push_dataset(dataset, REPO)
    assert hub.dataset(REPO).private
    monkeypatch.setenv("HF_TOKEN", hub.token("bob"))
    with pytest.raises(DatasetError, match="the token may not do this"):
        push_dataset(dataset, REPO)


def test_private_data_do_not_go_where_all_can_see_them(hub, ann, dataset):
    hub.create("datasets", REPO)
    with pytest.raises(DatasetError, match="is public, and a private one was asked for"):
        push_dataset(dataset, REPO, private=True)
    assert list(pushed(hub)) == []


def test_a_branch(hub, ann, dataset):
    push_dataset(dataset, REPO, revision="v2")
    assert pushed(hub, revision="v2") == data_files(dataset)
    assert pushed(hub) == {}
    assert push_dataset(dataset, REPO, revision="v2").endswith("/datasets/ann/latents/tree/v2")


def test_who_may_not(hub, dataset, monkeypatch):
    with pytest.raises(DatasetError, match=r"without a token: log in with `hf auth login`, or set HF_TOKEN"):
        push_dataset(dataset, REPO)
    for token, message in (
        ("hf_unknown", "the Hub does not know the token"),
        (hub.token("ann", "read"), "the token may only read"),
        (hub.token("bob"), "rights to create a dataset under the namespace"),
    ):
        with pytest.raises(DatasetError, match=message):
            push_dataset(dataset, REPO, token=token)
    assert hub.repos == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repo": "latents"}, "give it as user/name"),
        ({"repo": "a/b/c"}, "is no name of a repository"),
        ({"repo": "hf://a/b"}, "is no name of a repository"),
        ({"repo": "ann/a b"}, "is no name of a repository"),
        ({"repo": "ann/x--y"}, "is no name of a repository"),
        ({"repo": ""}, "is no name of a repository"),
        ({"license": "Apache 2"}, "license 'Apache 2' is no id of the Hub"),
        ({"license": "mit\nprivate: false"}, "is no id of the Hub"),
        ({"license": ""}, "is no id of the Hub"),
        ({"license": "mitt"}, "the Hub does not take the card: .*'license' must be one of"),
        ({"task": "[x]"}, "task '\\[x\\]' is no id of the Hub"),
        ({"title": " "}, "is not a line of text"),
        ({"title": "a\nb"}, "is not a line of text"),
    ],
    ids=str,
)
def test_options_that_cannot_be(hub, ann, dataset, options, message):
    with pytest.raises(DatasetError, match=message) as caught:
        push_dataset(dataset, **{"repo": REPO} | options)
    assert "\n" not in str(caught.value)
    assert hub.repos == {}


def test_the_check_before_the_work(hub, ann):
    check_push(REPO, license="mit", task="image-classification", title="Mine")
    with pytest.raises(DatasetError, match="is no name of a repository"):
        check_push("x y")
    with pytest.raises(DatasetError, match="does not know the token"):
        check_push(REPO, token="hf_unknown")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[min(100, len(data) // 2)] ^= 1  # of a tar, in the header of its first member
    path.write_bytes(data)


DAMAGES = {
    "no manifest": (lambda out: (out / "walloc.json").unlink(), "is an unfinished dataset, without"),
    "no tar": (lambda out: (out / "train-00001.tar").unlink(), r"train-00001\.tar is missing or cut short"),
    "a tar cut short": (
        lambda out: os.truncate(out / "val-00000.tar", 7000),
        r"val-00000\.tar is missing or cut short",
    ),
    "a bit of a tar": (
        lambda out: flip(out / "train-00002.tar"),
        r"train-00002\.tar is not what the manifest describes",
    ),
    "no index": (lambda out: (out / "train-00001.idx").unlink(), r"train-00001\.idx: cannot be read"),
    "another index": (
        lambda out: shutil.copy(out / "train-00000.idx", out / "val-00000.idx"),
        r"val-00000\.idx is not of the shard",
    ),
    "no codec": (lambda out: (out / "codec.safetensors").unlink(), r"codec\.safetensors is missing"),
    "a bit of the codec": (lambda out: flip(out / "codec.safetensors"), r"codec\.safetensors"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_dataset_that_is_not_whole_is_not_pushed(hub, ann, copy, damage):
    destroy, message = DAMAGES[damage]
    destroy(copy)
    with pytest.raises((FormatError, CodecError, DatasetError), match=message):
        push_dataset(copy, REPO)
    assert "walloc.json" not in (pushed(hub) if hub.repos else {})


@pytest.fixture
def other(sharded, photos, tmp_path):
    """Another dataset, of more shards."""
    return sharded(photos, tmp_path / "other", shard_samples=8)


def test_another_dataset_is_not_overwritten(hub, ann, dataset, other):
    push_dataset(other, REPO)
    before = pushed(hub)
    with pytest.raises(DatasetError, match=r"holds another dataset \(.* more files .*\): choose another name, or repl"):
        push_dataset(dataset, REPO)
    assert pushed(hub) == before
    push_dataset(dataset, REPO, replace=True)
    assert pushed(hub) == data_files(dataset)
    complete = ["walloc.json" in files for files in hub.dataset(REPO).commits.values()]
    middle = complete[complete.index(True) + 1 : -1]
    assert middle
    assert not any(middle)


def test_part_of_another_dataset_is_not_overwritten(hub, ann, dataset, other):
    hub.fail(UPLOAD, 403, after=6, times=1000)
    with pytest.raises(DatasetError):
        push_dataset(other, REPO)
    hub.rules.clear()
    before = pushed(hub)
    assert before
    with pytest.raises(DatasetError, match="holds another dataset"):
        push_dataset(dataset, REPO)
    assert pushed(hub) == before
    push_dataset(other, REPO)
    assert pushed(hub) == data_files(other)


def test_other_files_are_left_alone(hub, ann, dataset):
    hub.put("datasets", REPO, {"LICENSE": b"terms", "raw/train-00000.tar": b"raw"})
    push_dataset(dataset, REPO)
    assert pushed(hub) == data_files(dataset) | {"LICENSE": b"terms", "raw/train-00000.tar": b"raw"}


def test_what_says_what_went_wrong_stays_here(hub, ann, copy):
    (copy / "errors.jsonl").write_text('{"key": "a", "reason": "/home/ann/a: not an image"}\n')
    push_dataset(copy, REPO)
    assert "errors.jsonl" not in pushed(hub)


def test_the_card(hub, ann, dataset):
    push_dataset(dataset, REPO, license="cc-by-4.0", task="image-classification", title="Three things: a 'test'")
    found = card(hub)
    assert found.data.to_dict() == {
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": s, "path": f"{s}-*.tar"} for s in ("train", "val")],
            }
        ],
        "license": "cc-by-4.0",
        "pretty_name": "Three things: a 'test'",
        "size_categories": ["n<1K"],
        "tags": ["walloc", "webdataset"],
        "task_categories": ["image-classification"],
    }
    manifest = Manifest.read(dataset)
    for text in (
        "# Three things: a 'test'",
        "| train | 60 | 4 | ",
        f"| distortion | {manifest.summary.psnr:.2f} dB",
        "3 classes: astronaut, chelsea, flower",
        'LatentDataset("hf://ann/latents", split="train")',
        'StreamingLatentDataset("hf://ann/latents", split="train", batch_size=256)',
        "![decoded samples](samples.jpg)",
    ):
        assert text in found.text
    picture = hub.dataset(REPO).files()["samples.jpg"].data
    assert len(picture) <= 300_000
    with Image.open(io.BytesIO(picture)) as image:
        assert image.format == "JPEG"
        assert image.size == (4 * (64 + 4), 3 * (64 + 14 + 4))


def test_what_the_hub_says_of_the_card_is_passed_on(hub, ann, dataset):
    hub.warnings = ["task_categories are odd"]
    with pytest.warns(UserWarning, match="task_categories are odd"):
        push_dataset(dataset, REPO, task="odd")
    assert card(hub).data.task_categories == ["odd"]


def test_the_picture_is_small(ragged_dataset, dataset, monkeypatch):
    before = small_picture(dataset)
    monkeypatch.setattr("walloc_data.report.view._SMALL_BYTES", len(before) - 1)
    assert len(small_picture(dataset)) < len(before)
    monkeypatch.setattr("walloc_data.report.view._SMALL_SIDE", 16)
    with Image.open(io.BytesIO(small_picture(dataset))) as image:
        assert image.size == (4 * (16 + 4), 3 * (16 + 14 + 4))
    with Image.open(io.BytesIO(small_picture(ragged_dataset))) as image:
        assert image.size == (4 * (16 + 4), 3 * (16 + 14 + 4))


def test_the_card_in_the_folder(dataset, samples_dataset):
    for folder in (dataset, samples_dataset):
        text = (folder / "README.md").read_text()
        said = {"samples": "images, RGB", "decoded": "float32 [3, height, width] in [0, 1]"}
        assert text == dataset_card(Manifest.read(folder), **said)
        assert DatasetCard(text).data.configs[0]["data_files"][1] == {"split": "val", "path": "val-*.tar"}
        assert 'LatentDataset("path/to/this/folder", split="train")' in text


@pytest.mark.parametrize("name", ["a|b", "<script>", "[x](y)", "*", "a\nb", "`", "\udcff", "猫"])
def test_names_in_the_card_are_text(hub, ann, copy, name):
    manifest = Manifest.read(copy)
    manifest.classes["label"][0] = name
    manifest.write(copy)
    push_dataset(copy, REPO, title=f"t {name}" if name.isprintable() else None)
    line = next(line for line in card(hub).text.splitlines() if line.startswith("3 classes: "))
    assert line.endswith(", chelsea, flower")
    assert not {"<script>", "[x](y)"} & set(line.split())


def test_sizes_as_the_hub_counts_them(dataset):
    manifest = Manifest.read(dataset)
    for samples, category in ((999, "n<1K"), (1000, "1K<n<10K"), (1281167, "1M<n<10M"), (10**12, "n>1T")):
        shard = replace(manifest.splits["val"][0], samples=samples, records=-(-samples // 8))
        some = replace(manifest, splits={"train": [shard]})
        assert DatasetCard(dataset_card(some)).data.size_categories == [category]


def test_a_dataset_that_says_little_of_itself_gets_a_short_card(dataset):
    manifest = replace(Manifest.read(dataset), summary=Summary(), classes={})
    assert "| distortion | PSNR unknown |" in dataset_card(manifest, repo=REPO)


def test_what_people_add_to_the_card_is_kept(hub, ann, dataset):
    mine = "---\nlicense: mit\nlanguage:\n- en\ntags:\n- cats\n---\n# About\n\nTaken by me.\n"
    hub.put("datasets", REPO, {"README.md": mine.encode()})
    push_dataset(dataset, REPO)
    for _ in range(2):
        found = card(hub)
        assert (found.data.license, found.data.language) == ("mit", ["en"])
        assert found.data.tags == ["walloc", "webdataset", "cats"]
        assert found.text.endswith("kept by `walloc push`. -->\n# About\n\nTaken by me.\n")
        assert found.text.count("# latents") == 1
        push_dataset(dataset, REPO, title="latents")
    push_dataset(dataset, REPO, license="cc0-1.0")
    assert card(hub).data.license == "cc0-1.0"
    hub.put("datasets", REPO, {"README.md": b"---\n: [\n---\nbroken"})
    push_dataset(dataset, REPO)
    assert card(hub).text.endswith("---\n: [\n---\nbroken\n")


def test_ragged_and_unlabelled_datasets_and_those_of_samples(hub, ann, ragged_dataset, samples_dataset):
    push_dataset(ragged_dataset, REPO)
    assert pushed(hub) == data_files(ragged_dataset)
    assert "classes" not in card(hub).text
    push_dataset(samples_dataset, "ann/samples")
    assert "the latents of a sample" in card(hub, "ann/samples").text


@pytest.mark.parametrize(
    "failure",
    [
        {"status": 503},
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"status": 500, "times": 2},
        {"status": 0},
    ],
    ids=str,
)
@pytest.mark.parametrize("request_", ["POST /api/repos/create", "/commit/main", "POST /api/validate-yaml"])
def test_a_hub_that_is_busy_is_asked_again(hub, ann, dataset, failure, request_):
    hub.fail(request_, **failure)
    push_dataset(dataset, REPO)
    assert hub.rules == []
    assert pushed(hub) == data_files(dataset)


@pytest.mark.parametrize(
    ("request_", "failure", "message"),
    [
        ("/commit/main", {"status": 503}, "the Hub has trouble of its own .*: run again later"),
        ("/commit/main", {"status": 429}, "the Hub asks for fewer requests"),
        ("/commit/main", {"status": 0}, "cannot reach .*: check the network and HF_ENDPOINT; what was sent is kept"),
        (
            "/objects/batch",
            {"status": 403, "body": b'{"error": "Private repository storage limit reached"}'},
            r"the Hub takes no more \(Private repository storage limit reached\)",
        ),
        ("/preupload/", {"status": 413, "body": b"too large"}, "the Hub takes no more"),
        ("/commit/main", {"status": 400, "body": b'{"error": "odd"}'}, "the Hub refused .400 odd"),
    ],
    ids=str,
)
def test_a_hub_that_does_not_get_better_is_one_sentence(hub, ann, dataset, request_, failure, message):
    hub.fail(request_, times=1000, **failure)
    with pytest.raises(DatasetError, match=message) as caught:
        push_dataset(dataset, REPO)
    assert "\n" not in str(caught.value)
    assert str(caught.value).count(f"{hub.endpoint}/datasets/{REPO}") == 1


def test_no_network(hub, dataset, monkeypatch):
    token = hub.token("ann")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        DatasetError, match=r"cannot reach http://127\.0\.0\.1:9/datasets/ann/latents .*: check the net"
    ):
        push_dataset(dataset, REPO, token=token)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DatasetError, match="HF_HUB_OFFLINE is set"):
        push_dataset(dataset, REPO, token=token)


def run(capsys, command, *arguments):
    status = command([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_walloc_push(hub, ann, dataset, capsys):
    url = f"{hub.endpoint}/datasets/ann/latents"
    options = ["--private", "--license", "mit", "--task", "image-classification", "--title", "Mine"]
    status, text, errors = run(capsys, main, "push", dataset, REPO, *options)
    assert (status, text, errors) == (0, f"{url} holds all of {dataset}\n", "")
    assert hub.dataset(REPO).private
    assert card(hub).data.pretty_name == "Mine"
    assert run(capsys, main, "push", dataset, "ann/b", "--revision", "v1")[1].startswith(
        f"{hub.endpoint}/datasets/ann/b/"
    )
    status, text, errors = run(capsys, main, "push", dataset, "no/yes", "--quiet")
    assert (status, text) == (1, "")
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1


def test_the_lines_of_the_card_run(hub, ann, dataset, tmp_path):
    push_dataset(dataset, REPO, private=True)
    blocks = re.findall(r"```python\n(.*?)```", card(hub).text, re.DOTALL)
    assert len(blocks) == 3
    assert "StreamingLatentDataset" in blocks[0]
    assert "load_dataset" in blocks[2]
    checks = [
        "assert latents.shape == (12, 12, 8, 8) and x.dtype.is_floating_point, x.shape",  # the last of 60 samples
        "assert signal.shape == (3, 64, 64) and 0 <= signal.min() < signal.max() <= 1, signal.shape",
        "assert [sample['latents'].shape for sample in decoded] == [(12, 8, 8)] * 4, decoded",
    ]
    script = tmp_path / "script.py"
    lines = "\n".join(
        block.replace("batch_size=256", "batch_size=16") + check for block, check in zip(blocks, checks, strict=True)
    )
    script.write_text("def main():\n" + textwrap.indent(lines, "    ") + "\n\nif __name__ == '__main__':\n    main()\n")
    process = subprocess.run(
        [sys.executable, script],
        env={
            **os.environ,
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "1",
            "WALLOC_CACHE": str(tmp_path / "cache"),
            "PYTHONPATH": str(Path(__file__).parents[1]),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert hub.leaks == []
