"""docs/walloc.schema.json: every manifest that is written is of it, and what a reader refuses is not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from walloc_data import transcode_dataset
from walloc_data.errors import FormatError
from walloc_data.format import Manifest

TESTS = Path(__file__).parents[1]
SCHEMA = json.loads((TESTS.parent / "docs" / "walloc.schema.json").read_text("utf-8"))
GOLDEN = sorted((TESTS / "golden").rglob("walloc.json"))


def check(manifest: Path) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(manifest.read_text("utf-8")))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("manifest", GOLDEN, ids=lambda path: str(path.parent.relative_to(TESTS / "golden")))
def test_manifests_of_every_version(manifest: Path) -> None:
    check(manifest)


def test_manifests_of_today(dataset: Path, samples_dataset: Path, ragged_dataset: Path, tmp_path: Path) -> None:
    transcode_dataset(dataset, tmp_path / "again", coder="zstd")
    for folder in (dataset, samples_dataset, ragged_dataset, tmp_path / "again"):
        check(folder / "walloc.json")


def test_it_names_all_that_is_written(dataset: Path, tmp_path: Path) -> None:
    transcode_dataset(dataset, tmp_path / "again", coder="zstd")
    written = json.loads((tmp_path / "again" / "walloc.json").read_text("utf-8"))
    assert written.keys() <= SCHEMA["properties"].keys()
    assert written["summary"].keys() <= SCHEMA["properties"]["summary"]["properties"].keys()
    assert written["splits"]["train"][0].keys() <= SCHEMA["$defs"]["shard"]["properties"].keys()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.pop("splits"),
        lambda content: content.update(format="other"),
        lambda content: content.update(version=2),
        lambda content: content.update(layout="rows"),
        lambda content: content.update(block=0),
        lambda content: content.update(splits={}),
        lambda content: content["splits"]["train"][0].update(name="../train-00000.tar"),
        lambda content: content["splits"]["train"][0].update(bytes=-1),
        lambda content: content["summary"].update(psnr="high"),
    ],
)
def test_what_a_reader_refuses_is_not_of_it(damage: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(GOLDEN[0].read_text("utf-8"))
    damage(content)
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(content)
    with pytest.raises(FormatError):
        Manifest.parse(json.dumps(content).encode(), "walloc.json")
