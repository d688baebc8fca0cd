"""What people call their folders: splits by other names, folders of systems, one level too many."""

import os
import unicodedata

import pytest

from walloc_data import ImageReader
from walloc_data.errors import SourceError
from walloc_data.sources.folder import scan_folder
from walloc_data.sources.walk import walk


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True) if name.endswith("/") else path.write_bytes(b"")
    return scan_folder(root, suffixes=ImageReader.suffixes)


@pytest.mark.parametrize(
    ("train", "test", "names"),
    [
        ("Train", "Test", ["train", "test"]),
        ("TRAIN", "VAL", ["train", "val"]),
        ("Training", "Testing", ["train", "test"]),
        ("training_set", "test_set", ["train", "test"]),
        ("seg_train", "seg_test", ["train", "test"]),
        ("train2017", "val2017", ["train", "val"]),
        ("train", "dev", ["train", "dev"]),
        ("train", "eval", ["train", "eval"]),
        ("train", "holdout", ["train", "holdout"]),
    ],
)
def test_splits_by_other_names(tmp_path, train, test, names):
    source = make(tmp_path, f"{train}/cat/a.jpg", f"{train}/dog/b.jpg", f"{test}/cat/c.jpg")
    assert list(source.splits) == names
    assert source.classes == {"label": ["cat", "dog"]}
    assert source.splits["train"].names == [f"{train}/cat/a.jpg", f"{train}/dog/b.jpg"]
    assert source.notes == []


def test_two_folders_of_one_split_are_refused(tmp_path):
    with pytest.raises(SourceError, match=r"Training and train are both called as the split 'train'"):
        make(tmp_path, "train/cat/a.jpg", "Training/cat/b.jpg", "val/cat/c.jpg")


def test_a_folder_of_files_beside_splits_is_refused_not_made_classes_of(tmp_path):
    with pytest.raises(SourceError, match=r"train, val are folders of splits, and extra beside them is of none"):
        make(tmp_path, "train/cat/a.jpg", "val/cat/b.jpg", "extra/cat/c.jpg")


@pytest.mark.parametrize("name", ["__MACOSX/cat/a.jpg", "lost+found/", "@eaDir/a.jpg", "annotations/", "docs/a.txt"])
def test_what_holds_no_samples_beside_splits_takes_no_labels(tmp_path, name):
    source = make(tmp_path, "train/cat/a.jpg", "train/dog/a.jpg", "val/cat/b.jpg", name)
    assert list(source.splits) == ["train", "val"]
    assert source.classes == {"label": ["cat", "dog"]}


def test_one_level_too_many_is_refused_with_the_folder_to_give(tmp_path):
    with pytest.raises(SourceError, match=r"images holds all there is.*give .*/images, so that cat, dog count"):
        make(tmp_path, "images/cat/a.jpg", "images/dog/b.jpg")
    assert make(tmp_path / "images").classes == {"label": ["cat", "dog"]}
    with pytest.raises(SourceError, match=r"images holds all there is.*so that train, val count"):
        make(tmp_path / "other", "images/train/a.jpg", "images/val/b.jpg")
    with pytest.raises(SourceError, match=r"train/images holds all there is.*one level up, in .*/train"):
        make(tmp_path / "third", "train/images/cat/a.jpg", "train/images/dog/b.jpg", "val/images/cat/a.jpg")


def test_one_class_alone_is_one(tmp_path):
    source = make(tmp_path, "cat/a.jpg", "cat/b.jpg")
    assert source.classes == {"label": ["cat"]}


def test_the_same_folders_below_several_are_noted(tmp_path):
    source = make(tmp_path, "first/cat/a.jpg", "first/dog/a.jpg", "second/cat/b.jpg", "second/dog/b.jpg")
    (note,) = source.notes
    assert note.startswith("first, second are taken for classes, and hold the same folders (cat, dog)")


def test_a_class_that_training_never_meets_is_noted(tmp_path):
    source = make(tmp_path, "train/cat/a.jpg", "test/cat/b.jpg", "test/eel/c.jpg")
    assert source.notes == ["classes without files in train: eel"]


def test_a_name_composed_and_decomposed_is_one_class(tmp_path):
    one, other = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    source = make(tmp_path, f"train/{one}/a.jpg", "train/zebra/a.jpg", f"val/{other}/b.jpg")
    assert source.classes == {"label": [one, "zebra"]}
    assert [files.fields["label"].tolist() for files in source.splits.values()] == [[0, 1], [0]]
    assert "accents" in source.notes[0]
    alone = make(tmp_path / "alone", f"{other}/a.jpg", "zebra/a.jpg")
    assert alone.classes == {"label": [other, "zebra"]}  # as it is where nothing else is called so


def test_what_is_passed_over_is_counted_by_suffix(tmp_path):
    source = make(tmp_path, "cat/a.jpg", "cat/a.txt", "cat/b.xml", "dog/c.xml", "dog/b.jpg", "LICENSE", ".hidden")
    assert source.notes == ["files that are not read here were passed over: 2 .xml, 1 without a suffix, 1 .txt"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in folders")
def test_what_is_no_file_is_named_and_never_waited_for(tmp_path):
    make(tmp_path, "cat/a.jpg")
    os.mkfifo(tmp_path / "cat" / "x.jpg")
    (tmp_path / "cat" / "gone.jpg").symlink_to(tmp_path / "nowhere")
    source = make(tmp_path)
    assert source.splits["train"].names == ["cat/a.jpg"]
    (note,) = source.notes
    assert note == "2 names that are no files (links to nothing, pipes) were passed over: cat/gone.jpg, cat/x.jpg"


def test_folders_linked_crosswise_are_not_walked_for_ever(tmp_path):
    for name in "abc":
        make(tmp_path, f"{name}/{name}.jpg")
    for name in "abc":
        for other in "abc":
            (tmp_path / name / f"to-{other}").symlink_to(tmp_path / other)
    names = walk(tmp_path, ImageReader.suffixes).names
    assert len(names) == len(set(names)) == 15  # each folder's file, once on each way there that meets no folder twice
    assert max(name.count("/") for name in names) == 3
