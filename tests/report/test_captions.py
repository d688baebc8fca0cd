from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw

from walloc_data.report import captions


@pytest.fixture
def fonts(monkeypatch):
    """The fonts that come with matplotlib: they have Greek and Cyrillic letters, and no Chinese ones."""
    captions._font_with.cache_clear()
    monkeypatch.setattr(captions, "FONT_FOLDERS", [str(Path(matplotlib.get_data_path()) / "fonts")])
    yield
    captions._font_with.cache_clear()


def drawn(text):
    image = Image.new("L", (160, 16), "white")
    captions.draw_caption(ImageDraw.Draw(image), (1, 1), text)
    return np.asarray(image)


@pytest.mark.parametrize("text", ["кот/ёж.jpg", "γάτα", "caf\u00e9", "Straße łąka"])
def test_names_are_drawn_in_their_letters(fonts, text):
    reverse = drawn(text[::-1])
    assert not np.array_equal(drawn(text), reverse)  # boxes would look the same in any order
    assert np.array_equal(drawn("cafe\u0301"), drawn("caf\u00e9"))


@pytest.mark.parametrize(("text", "plain"), [("猫/7.jpg", "?/7.jpg"), ("猫 café", "? cafe")])
def test_letters_that_no_font_has_are_question_marks(fonts, text, plain):
    assert np.array_equal(drawn(text), drawn(plain))


def test_a_machine_without_fonts(monkeypatch, tmp_path):
    captions._font_with.cache_clear()
    monkeypatch.setattr(captions, "FONT_FOLDERS", [str(tmp_path), str(tmp_path / "none")])
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    assert np.array_equal(drawn("école κ 9.jpg"), drawn("ecole ? 9.jpg"))
    captions._font_with.cache_clear()
