import sys
import types

import numpy as np
import pytest
from PIL import Image

from tests.image_files import read, rgb_png
from walloc_data.errors import SampleError
from walloc_data.signals.image_formats import image_formats, image_suffixes

PEOPLE_HAVE = (
    ".jpg .jpeg .jpe .jfif .jpg_large .pjpeg .mpo .png .apng .gif .webp .avif .bmp .dib .tif .tiff .ico .cur .tga .dds "
    ".jp2 .jpx .jpf .j2k .j2c .jpc .pbm .pgm .ppm .pnm .pfm .pcx .psd .qoi .sgi .xbm"
)
NO_PICTURES = ".eps .ps .wmf .emf .mpg .h5 .hdf .grib .bufr .pdf .txt .md .json .csv .py .xml .html .zip .npy .mp4"


def test_suffixes():
    assert set(PEOPLE_HAVE.split()) <= image_suffixes()
    assert not set(NO_PICTURES.split()) & image_suffixes()
    assert all(suffix[:1] in ("", ".") and suffix == suffix.lower() for suffix in image_suffixes())


@pytest.fixture
def forget():
    image_formats.cache_clear()
    image_suffixes.cache_clear()
    yield
    image_formats.cache_clear()
    image_suffixes.cache_clear()


def test_plug_ins_that_are_installed_are_registered(monkeypatch, forget):
    for name in ("OPEN", "EXTENSION"):
        monkeypatch.setattr(Image, name, dict(getattr(Image, name)))
    monkeypatch.setattr(Image, "ID", list(Image.ID))

    def register():
        Image.register_open("HEIF", lambda fp, name: None, lambda head: head[4:12] == b"ftypheic")
        Image.register_extension("HEIF", ".heic")

    assert ".heic" not in image_suffixes()
    image_formats.cache_clear()
    image_suffixes.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(register_heif_opener=register))
    assert ".heic" in image_suffixes()
    assert "HEIF" in image_formats()


def test_no_other_program_is_started_for_an_image():
    with pytest.raises(SampleError, match="not an image that Pillow knows"):
        read(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n")


def test_the_readers_limit_of_pixels_governs_and_not_pillows(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert np.array_equal(read(rgb_png()), read(rgb_png(), max_pixels=64))
    assert Image.MAX_IMAGE_PIXELS == 10
    with pytest.raises(SampleError, match="8 x 8 pixels are more than the limit of 63"):
        read(rgb_png(), max_pixels=63)
    with pytest.raises(SampleError, match="more pixels than the limit of 20"):
        read(rgb_png(), max_pixels=20)
    assert Image.MAX_IMAGE_PIXELS == 10
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(SampleError, match="8 x 8 pixels are more than the limit of 20"):
        read(rgb_png(), max_pixels=20)
