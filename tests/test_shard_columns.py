"""Columns that are asked for, and options that cannot be."""

import json

import pytest

from tests.photographs import window
from walloc_data import LatentDataset, Options, load_codec, shard_dataset
from walloc_data.cli import main_shard
from walloc_data.errors import CoderError


def test_columns_that_no_sample_has_and_labels_left_out_are_said(photos, tmp_path):
    result = shard_dataset(photos, tmp_path / "out", options=Options(columns=("boxs",), limit=4))
    assert "no sample has a field 'boxs'" in result.notes
    assert "labels are left out: they are the column 'label'" in result.notes
    assert not any("label" in note for note in shard_dataset(photos, tmp_path / "b", options=Options(limit=4)).notes)


def test_a_coder_that_is_none_leaves_nothing_behind(photos, tmp_path):
    with pytest.raises(CoderError):
        shard_dataset(photos, tmp_path / "out", options=Options(coder="gzip"))
    assert not (tmp_path / "out").exists()


def test_a_run_that_finished_nothing_stands_in_no_way(photos, tmp_path):
    out = tmp_path / "out"
    shard_dataset(photos, out, codec="rgb-f8c48", options=Options(limit=4))
    journal = out / ".walloc-journal.jsonl"
    head = journal.read_text("utf-8").splitlines()[0]
    for path in out.iterdir():
        if path.name not in (journal.name, "codec.safetensors"):
            path.unlink()
    journal.write_text(head + "\n", "utf-8")
    assert shard_dataset(photos, out, options=Options(limit=4)).samples == 8
    assert LatentDataset(out).codec.fingerprint == load_codec("rgb-f8c12").fingerprint
    assert json.loads(journal.read_text("utf-8").splitlines()[0])["asked"]["codec"] == "rgb-f8c12"


def test_the_hint_names_a_codec_that_there_is(photos, tmp_path, capsys):
    flags = ["--codec", "rgb-f8c48x1.5", "--quiet", "--limit", "4", "--read", "size=64"]
    assert main_shard([str(photos), str(tmp_path / "out"), *flags]) == 0
    assert "hint: --codec rgb-f8c48x3 has" in capsys.readouterr().out
    assert load_codec("rgb-f8c48x3")


@pytest.mark.parametrize("labels", [[0, 1, 0], ["cat", "dog", "cat"]], ids=str)
def test_lists_of_pictures_and_of_labels_are_columns(tmp_path, labels):
    pictures = [window("chelsea", number, (64, 64)) for number in range(3)]
    assert shard_dataset((pictures, labels), tmp_path / "out").samples == 3
    assert sorted(LatentDataset(tmp_path / "out").targets) == [0, 0, 1]
