import os

import pytest
from PIL import Image

from tests.photographs import window
from walloc_data.signals import ImageReader
from walloc_data.sources import list_files

PHOTO = window("chelsea", 3, (96, 64))
SAVED = {".jpg_large": "JPEG", ".JFIF": "JPEG", ".apng": "PNG", "": "PNG"}


def test_what_people_have_is_listed_and_read(tmp_path):
    Image.init()
    formats = {**Image.registered_extensions(), **SAVED}
    formats = {suffix: kind for suffix, kind in formats.items() if suffix.lower() in ImageReader.suffixes}
    modes = {"XBM": "1", "MSP": "1", "SPIDER": "F"}
    for suffix, kind in formats.items():
        if kind in Image.SAVE and kind not in ("BLP", "IM"):
            PHOTO.convert(modes.get(kind, "RGB")).save(tmp_path / f"photo{suffix}", kind)
    found = list_files(tmp_path, ImageReader.suffixes)
    assert sorted(path.name for path in found) == sorted(os.listdir(tmp_path))
    assert len(found) > 30
    for path in found:
        signal = ImageReader(size=32).read(path.read_bytes(), path.name)
        assert signal.values.shape == (3, 32, 32)


def test_of_files_without_a_suffix_those_of_text_are_passed_over(tmp_path):
    PHOTO.save(tmp_path / "0001", "JPEG")
    for name, text in (("README", "about"), ("LICENSE", "free"), ("empty", ""), (".hidden", "\0")):
        (tmp_path / name).write_text(text)
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert list_files(tmp_path, ImageReader.suffixes) == [tmp_path / "0001"]
    assert list_files(tmp_path, frozenset([".jpg"])) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in folders")
def test_a_pipe_without_a_suffix_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert list_files(tmp_path, ImageReader.suffixes) == []
