"""Fields in the names of files."""

import pytest

from tests.sounds import file_of, sound
from walloc_data import LatentDataset, open_source
from walloc_data.cli import main
from walloc_data.errors import SourceError
from walloc_data.sources import Raw, Source

SUFFIXES = frozenset((".wav",))


def files(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def opened(root, pattern):
    return open_source(root, suffixes=SUFFIXES, names=pattern)


def test_fields_of_names(tmp_path):
    root = files(tmp_path / "a", "10_jo_0.wav", "2_jo.anna_3.wav", "2_al_12.wav")
    source = opened(root, "{label}_{speaker}_{take}")
    assert source.classes == {"label": ["2", "10"]}
    found = {key: source.splits["train"][place].fields for place, key in enumerate(source.splits["train"].names)}
    assert found == {
        "10_jo_0.wav": {"label": 1, "speaker": "jo", "take": 0},
        "2_al_12.wav": {"label": 0, "speaker": "al", "take": 12},
        "2_jo.anna_3.wav": {"label": 0, "speaker": "jo.anna", "take": 3},
    }
    assert opened(root, "*_{speaker}_*").classes == {}
    assert source.digest() != opened(root, "{label}_{speaker}_*").digest()


def test_folders_count_where_the_pattern_has_them(tmp_path):
    root = files(tmp_path / "a", "train/84/121/84-121-0.wav", "train/85/123/85-123-0.wav", "val/174/5/174-5-1.wav")
    source = opened(root, "{speaker}/{label}/*-{take}")
    assert source.classes["label"] == ["5", "121", "123"]
    assert [source.splits["train"][place].fields for place in range(2)] == [
        {"label": 1, "speaker": 84, "take": 0},
        {"label": 2, "speaker": 85, "take": 0},
    ]
    assert source.splits["val"][0].fields == {"label": 0, "speaker": 174, "take": 1}


def test_numbers_that_begin_with_zero_are_texts(tmp_path):
    source = opened(files(tmp_path / "a", "a_007.wav", "b_8.wav"), "{label}_{take}")
    assert [source.splits["train"][place].fields["take"] for place in range(2)] == ["007", "8"]


def test_names_that_are_not_like_the_pattern(tmp_path):
    root = files(tmp_path / "a", "a_1.wav", "b.wav", "c.wav")
    with pytest.raises(SourceError, match=r"2 names are not like '\{label\}_\*', such as b.wav"):
        opened(root, "{label}_*")
    for pattern in ("label", "{}", "{a b}", "{a}_{a}", "*"):
        with pytest.raises(SourceError, match="is no pattern of fields, each named once in braces"):
            opened(root, pattern)
    source = Source("a list", {"train": [Raw(b"", "a", {})]})
    with pytest.raises(SourceError, match="a list is not of files"):
        open_source(source, suffixes=SUFFIXES, names="{label}")


@pytest.mark.parametrize("read", ["", "segment=0.25"])
def test_names_to_training_samples(tmp_path, read):
    root = files(tmp_path / "a")
    for number in range(8):
        name = f"{number % 2}_{'xyz'[number % 3]}_{number}.wav"
        (files(root, name) / name).write_bytes(file_of(sound(0.5, seed=number)))
    codec, out = str(tmp_path / "a.safetensors"), str(tmp_path / "out")
    assert main(["fit", str(root), codec, "--kind", "mono", "--levels", "4", "--channels", "8", "--quiet"]) == 0
    options = ["--names", "{label}_{speaker}_{take}", *(["--read", read] if read else [])]
    assert main(["shard", str(root), out, "--codec", codec, *options, "--quiet"]) == 0
    dataset = LatentDataset(out, columns=("label", "speaker", "take"))
    assert dataset.classes == ["0", "1"]
    assert len(dataset) == (16 if read else 8)
    for _, label, speaker, take in dataset:
        assert (label, speaker) == (int(take) % 2, "xyz"[int(take) % 3])
