"""Arrays of every format, byte order and layout, whole and in tiles; what is missing in them; what is no array."""

import io
import pickle
import struct
import zipfile
from contextlib import suppress

import numpy as np
import pytest
import tifffile

from tests.array_files import cube, mat, npy, npz, tiff
from walloc_data import ArrayReader, CodecConfig
from walloc_data.errors import SampleError, SourceError
from walloc_data.signals import Window, reader_for, unpack_mask

X = cube()
LAST = np.ascontiguousarray(X.transpose(1, 2, 0))


def read(data, **options):
    return ArrayReader(channels=5, **options).read(data, "a")


def refused(data, **options) -> str:
    with pytest.raises(SampleError) as caught:
        read(data, **options)
    assert str(caught.value).startswith("a: ")
    return str(caught.value)[3:]


FILES = {
    "npy": npy(X),
    "npy, Fortran": npy(np.asfortranarray(X)),
    "npy, big-endian": npy(X.astype(">u2")),
    "npz": npz(cube=X),
    "npz, plain": npz(False, cube=X),
    "mat": mat(cube=X, bands=5),
    "mat, compressed": mat(True, cube=X, bands=5),
    "tiff, planes": tiff(X, planarconfig="separate"),
    "tiff, pages": tiff(X, compression="zlib"),
    "tiff, big-endian": tiff(LAST, planarconfig="contig", byteorder=">"),
    "tiff, tiles": tiff(LAST, planarconfig="contig", tile=(16, 16), compression="lzw", predictor=True),
    "tiff, planes of tiles": tiff(X, planarconfig="separate", tile=(16, 16), compression="zlib", byteorder=">"),
    "tiff, strips": tiff(LAST, planarconfig="contig", rowsperstrip=7, compression="zlib"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_every_kind_hold_the_same(name, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(FILES[name])
    tiled = ArrayReader(channels=5, tile="16x32")
    for data in (FILES[name], path):
        signal = read(data)
        assert signal.values.dtype == np.uint16
        assert np.array_equal(signal.values, X)
        assert signal.fields == {"size": (24, 40), "original_size": (24, 40)}
        assert tiled.starts(data, "a") == [0, 1, 2, 3]
        for number, (y, x) in enumerate([(0, 0), (0, 8), (8, 0), (8, 8)]):
            window = tiled.read(Window(data, float(number), 0), "a")
            assert window.fields == {"size": (16, 32), "original_size": (24, 40), "origin": (y, x)}
            assert np.array_equal(window.values, X[:, y : y + 16, x : x + 32])
    found = ArrayReader.like(path, "a")
    assert (found.channels, found.dims) == (5, 2)


def test_arrays_at_hand_and_axes():
    assert np.array_equal(read(X).values, X)
    for bands in (-1, 2):
        assert np.array_equal(read(LAST, bands=bands).values, X)
    assert np.array_equal(read(npy(X.transpose(1, 0, 2)), bands=1).values, X)
    one = ArrayReader(bands="none").read(X[0], "a")
    assert np.array_equal(one.values, X[:1])
    assert refused(LAST) == "24 bands of shape [24, 40, 5], and the codec takes 5: bands=2 if axis 2 holds them"
    assert refused(X[:4]) == "4 bands of shape [4, 24, 40], and the codec takes 5"
    assert "of shape [5, 24], and the codec takes 2 dimensions of space and one of bands" in refused(X[:, :, 0])
    assert "has no axis 7" in refused(X, bands=7)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_every_number_of_dimensions(dims):
    x = cube(5, (6, 10, 14)[:dims])
    signal = read(npy(x), dims=dims)
    assert np.array_equal(signal.values, x)
    tiled = ArrayReader(channels=5, dims=dims, tile=4)
    starts = tiled.starts(npy(x), "a")
    assert len(starts) == (2, 6, 24)[dims - 1]
    covered = np.zeros(x.shape[1:], bool)
    for start in starts:
        window = tiled.read(Window(npy(x), start, 0), "a")
        part = tuple(slice(first, first + 4) for first in window.fields["origin"])
        assert np.array_equal(window.values, x[(slice(None), *part)])
        covered[part] = True
    assert covered.all()


def test_volumes_in_tiffs():
    x = cube(2, (6, 16, 24))
    plain = tiff(x.transpose(1, 0, 2, 3), imagej=True, metadata={"axes": "ZCYX"})
    ome = tiff(x, ome=True, metadata={"axes": "CZYX"}, compression="zlib")
    for data in (plain, ome):
        reader = ArrayReader.like(data, "a")
        assert (reader.channels, reader.dims) == (2, 3)
        assert np.array_equal(reader.read(data, "a").values, x)
        tiled = ArrayReader(channels=2, dims=3, tile="4x16x16")
        last = tiled.read(Window(data, 3.0, 0), "a")
        assert last.fields["origin"] == (2, 0, 8)
        assert np.array_equal(last.values, x[:, 2:, :, 8:])


def test_of_a_pyramid_the_full_resolution(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        options = {"planarconfig": "contig", "photometric": "minisblack", "tile": (16, 16)}
        file.write(LAST, subifds=1, **options)
        file.write(LAST[::2, ::2], subfiletype=1, **options)
        file.write(LAST[:8, :8], subfiletype=1, **options)  # a thumbnail
    assert np.array_equal(read(path).values, X)
    with tifffile.TiffWriter(path) as file:
        file.write(LAST, photometric="minisblack", planarconfig="contig", metadata=None)
        file.write(LAST[::2], photometric="minisblack", planarconfig="contig", metadata=None)
    assert refused(path) == ("it holds 2 arrays: say which with variable=NAME (0: YXS [24, 40, 5], 1: YXS [12, 40, 5])")
    assert np.array_equal(read(path, variable=1).values, X[:, ::2])


def test_of_a_large_tiff_only_what_the_window_lies_in_is_decoded():
    data = bytearray(tiff(LAST, planarconfig="contig", tile=(16, 16), compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for offset, count in list(zip(file.pages[0].dataoffsets, file.pages[0].databytecounts, strict=True))[1:]:
            data[offset : offset + count] = bytes(count)
    assert "a damaged TIFF" in refused(bytes(data))
    window = ArrayReader(channels=5, tile=8).read(Window(bytes(data), 0.0, 0), "a")
    assert np.array_equal(window.values, X[:, :8, :8])


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("u1", "u1"), ("u2", "u2"), ("i2", "i2"), ("f4", "f4"), ("f8", "f4"), ("f2", "f4"), ("i4", "f4"), ("u8", "f4")]
    + [("i1", "i2"), ("?", "u1"), (">f8", "f4"), (">i2", "i2"), ("g", "f4")],
)
def test_numbers_of_every_size(dtype, kept):
    x = (X % 2 if dtype == "?" else X // 2).astype(dtype)
    values = read(x).values
    assert values.dtype == np.dtype(kept)
    assert np.array_equal(values, x)


def test_numbers_that_no_signal_holds():
    assert "beyond floats of 32 bits" in refused(X * 1e300)
    assert "which floats of 32 bits do not hold" in refused(X.astype(np.int64) * (1 << 30))
    assert "it holds complex128, and signals are of whole numbers or floats" in refused(X * 1j)
    assert "it holds <U3, and signals" in refused(X.astype("U3"))
    for value in (np.inf, -np.inf):
        x = X.astype(np.float32)
        x[2, 3, 4] = value
        assert refused(x) == refused(x, nodata="mask") == "it holds infinity"
    assert (
        refused(-X.astype(np.int16), dtype="uint16") == "its values span -200 to 0, and the codec is fitted to uint16"
    )


def test_what_is_missing_is_refused_or_masked():
    x = X.astype(np.float32)
    x[1, 3, 4] = x[2, 3, 4] = x[0, 10:20, 5:9] = np.nan
    assert refused(x) == "42 of its values are NaN: nodata=mask fills them, and keeps where they were as a column"
    signal = read(x, nodata="mask")
    mask = np.isnan(x).any(0)
    assert signal.fields["masked"] == mask.sum() == 41
    assert np.array_equal(unpack_mask(signal.fields["mask"], signal.fields["size"]), mask)
    assert np.array_equal(signal.values[~np.isnan(x)], x[~np.isnan(x)])
    gap = signal.values[0, 10:20, 5:9]
    around = X[0, 8:22, 3:11]
    assert around.min() <= gap.min() <= gap.max() <= around.max()  # no edge that is not in the data
    number = np.where(np.isnan(x), -9999, x).astype(np.int16)
    for nodata in (-9999, -9999.0):
        masked = read(number, nodata=nodata)
        assert masked.values.dtype == np.int16
        assert masked.values.min() >= 0
        assert masked.fields["mask"] == signal.fields["mask"]
    assert read(np.ma.masked_array(X, np.isnan(x)), nodata="mask").fields["mask"] == signal.fields["mask"]
    assert "42 of its values are NaN" in refused(np.ma.masked_array(X.astype(np.float32), np.isnan(x)))
    none = read(X, nodata="mask")
    assert none.fields["masked"] == 0
    assert not unpack_mask(none.fields["mask"], (24, 40)).any()


def test_what_a_file_says_is_no_value():
    x = X.copy()
    x[:, 3:5] = 7000
    data = tiff(x, planarconfig="separate", compression="zlib", extratags=[(42113, "s", 0, "7000", True)])
    assert refused(data) == (
        "400 of its values are 7000, which its file says is no value: nodata=mask fills them, and keeps where they "
        "were as a column; nodata=keep takes them"
    )
    assert read(data, nodata="mask").fields["masked"] == 80
    assert np.array_equal(read(data, nodata="keep").values, x)


def test_bands_of_nothing():
    x = X.astype(np.float32)
    x[3] = np.nan
    assert refused(x, nodata="mask") == "its bands [3] (from 0) hold no data"
    assert refused(np.full_like(x, -1), nodata=-1) == "it holds no data"
    for data in (X[:0], npy(X[:0]), X[:, :0], npz(a=X[:0])):
        assert "it holds nothing" in refused(data)


def test_masks_that_are_damaged():
    for data in (b"", b"text", npz(a=X)):
        with pytest.raises(SampleError, match="mask"):
            unpack_mask(data, (24, 40))
    with pytest.raises(SampleError, match="and not of"):
        unpack_mask(read(X, nodata="mask").fields["mask"], (240, 400))


def test_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    objects = np.array([Trap()], dtype=object)
    for data in (npy(objects, allow_pickle=True), npz(a=objects), objects):
        assert refused(data) == "it holds objects of Python, which are never unpickled: write its numbers as an array"
    assert not (tmp_path / "sprung").exists()
    pickled = pickle.dumps(Trap())
    assert refused(pickled) == "none of .npy, .npz, .mat, TIFF and EDF, by how it begins"


def header_of(shape: tuple[int, ...], descr: str = "<u2") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def test_headers_that_lie(tmp_path):
    huge = header_of((5, 100_000, 100_000))
    path = tmp_path / "a.npy"
    path.write_bytes(huge)
    for data in (huge, path):
        assert "are more than the limit of 268435456: read it in tiles (tile=256), or raise max_values" in refused(data)
        assert "cut short: its header says 100000000000 bytes of numbers, and it holds 0" in refused(
            data, max_values=1 << 40
        )
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", huge + bytes(1 << 16))
    assert "50000000000 values are more than the limit of 268435456: raise max_values" in refused(bomb.getvalue())
    with pytest.raises(SampleError, match="more than the limit"):  # it can only be read whole
        ArrayReader(channels=5, tile=50_000).read(Window(bomb.getvalue(), 0.0, 0), "a")
    tiled = ArrayReader(channels=5, tile=4)
    with pytest.raises(SampleError, match="625000000 tiles are more than any array has"):
        tiled.starts(huge, "a")
    for shape in ((5, -24, 40), (1,) * 40):
        assert "a damaged .npy: its header says the shape" in refused(header_of(shape) + bytes(9600))
    unclosed = header_of((5, 24, 40)).replace(b"}", b"(")
    named = npz(**{"é": X}).replace("é".encode(), b"\xff\xff")
    for data in (unclosed + bytes(9600), named):
        assert "a damaged .np" in refused(data)
    assert "version 3.0, which holds no plain array" in refused(b"\x93NUMPY\x03\x00" + header_of((5, 24, 40))[8:])


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_cut_short(name, tmp_path):
    whole, path = FILES[name], tmp_path / "a"
    for kept in (0, 3, 9, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        for data in (whole[:kept], path):
            for options, wanted in (({}, data), ({"tile": 24}, Window(data, 1.0, 0))):
                try:
                    found = ArrayReader(channels=5, **options).read(wanted, "a").values
                except SampleError:
                    continue
                assert kept > len(whole) - 2 or options  # what is missing may be behind what was asked for
                assert np.array_equal(found, X[:, :, 16:] if options else X)


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(("tiff", "npz", "mat"))])
def test_damaged_bytes_are_an_error_or_other_numbers(name):
    rng = np.random.default_rng(0)
    for _ in range(25):
        data = bytearray(FILES[name])
        for place in rng.integers(0, min(len(data), 1000), 3):
            data[place] = rng.integers(256)
        for options in ({}, {"tile": 24}):
            try:
                wanted = Window(bytes(data), 0.0, 0) if options else bytes(data)
                ArrayReader(channels=5, max_values=1 << 20, **options).read(wanted, "a")
            except (SampleError, SourceError):  # the second: compressed in a way that nothing here decodes
                continue


def test_what_is_no_array():
    for data, reason in (
        (b"", "an empty file"),
        (b"text", "none of .npy, .npz, .mat, TIFF and EDF, by how it begins"),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), "HDF5, which is not read here"),
        (b"PK\x05\x06" + bytes(18), "it holds no array of numbers"),
        ("path", "an array is the bytes of a file, its path or an array, not str"),
    ):
        assert reason in refused(data)
    version = b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<HH", 0x0200, 0x4D49)
    assert "a .mat of version 7.3, which is HDF5" in refused(version + bytes(600))


def test_damaged_headers_are_sentences():
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"
    assert refused(head + b"\x0e\0\0\0") == "a .mat that is cut short"
    for text in ("-" * 9000 + "1", "{'descr':'<f4','fortran_order':False,'shape':(True,5)}"):
        begin = b"\x93NUMPY\1\0" + struct.pack("<H", len(text) + 1) + text.encode() + b"\n"
        assert "a damaged .npy" in refused(begin + bytes(64))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_damage_anywhere_in_an_npz_is_a_sample_error_or_an_array(method):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("x.npy", npy(X))
    assert np.array_equal(read(file.getvalue()).values, X)
    rng = np.random.default_rng(1)
    for number in range(150):
        data = bytearray(file.getvalue())
        for place in rng.integers(0, len(data) if number % 2 else 120, 3):
            data[place] = rng.integers(256)
        with suppress(SampleError):
            read(bytes(data))


def test_nodata_that_32_bits_do_not_hold_is_infinity_in_them():
    values = X.astype(np.float32)
    values[2, 3, 4] = -np.inf
    assert read(values, nodata=-1.7e308).fields["masked"] == 1


def test_a_tiff_makes_no_other_file_be_read(tmp_path):
    plane = '<TiffData IFD="0" FirstC="{0}" PlaneCount="1"><UUID FileName="{1}">urn:uuid:{0}</UUID></TiffData>'
    planes = plane.format(0, "a.ome.tif") + plane.format(1, "../b.ome.tif")
    description = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0"><Image '
        'ID="Image:0"><Pixels DimensionOrder="XYCZT" ID="Pixels:0" SizeC="2" SizeT="1" SizeX="40" SizeY="24" SizeZ="1" '
        f'Type="uint16">{planes}</Pixels></Image></OME>'
    )
    (tmp_path / "in").mkdir()
    for path, plane in ((tmp_path / "in/a.ome.tif", X[0]), (tmp_path / "b.ome.tif", X[1])):
        path.write_bytes(tiff(plane, description=description, metadata=None, ome=False))
    path = tmp_path / "in/a.ome.tif"
    for data in (path, path.read_bytes()):
        with pytest.raises(SampleError, match=r"1 bands of shape \[24, 40\], and the codec takes 2"):
            ArrayReader(channels=2).read(data, "a")
        assert np.array_equal(ArrayReader(channels=1).read(data, "a").values[0], X[0])


def test_options_that_cannot_be_are_no_fault_of_the_file():
    for data in (npy(X), npz(x=X), mat(x=X), tiff(X)):
        with pytest.raises(SourceError, match="nodata='much' is no number"):
            ArrayReader.like(data, "a", nodata="much")


def test_which_array_of_several():
    data = npz(a=X, b=X + 1)
    assert refused(data) == "it holds 2 arrays: say which with variable=NAME (a, b)"
    assert np.array_equal(read(data, variable="b").values, X + 1)
    assert refused(data, variable="c") == "it has no array 'c', but a, b"
    data = mat(a=X, b=X + 1, text="abc", one=3)
    assert refused(data) == "it holds 2 arrays: say which with variable=NAME (a [5, 24, 40], b [5, 24, 40])"
    assert np.array_equal(read(data, variable="b").values, X + 1)


@pytest.mark.parametrize(
    "options",
    [{"channels": 0}, {"dims": 4}, {"bands": "some"}, {"bands": "none"}, {"tile": "8x8x8"}, {"tile": 0}, {"tile": "x"}]
    + [{"tile": -3}, {"tile": 2.5}, {"nodata": "none"}, {"nodata": float("inf")}, {"max_values": 0}],
)
def test_options_that_cannot_be(options):
    with pytest.raises(SourceError):
        ArrayReader(**{"channels": 5, **options})


def test_options_as_the_manifest_holds_them():
    reader = ArrayReader(channels=5, dims=3, bands=-1, tile="4x8x8", nodata=float("nan"))
    assert reader.config() == {"channels": 5, "dims": 3, "bands": -1, "tile": "4x8x8", "nodata": "mask"}
    assert ArrayReader(**reader.config()) == pickle.loads(pickle.dumps(reader)) == reader
    config = {"name": "a", "kind": "array", "signal_channels": 5, "levels": 2, "wavelet": "10/18"}
    for dims in (1, 2, 3):
        found = reader_for(CodecConfig(dims=dims, **config, dtype="uint16"), nodata="mask")
        assert found == ArrayReader(channels=5, dims=dims, nodata="mask", dtype="uint16")
    with pytest.raises(SourceError, match="array is read without 'size': its options are bands, max_values, nodata"):
        reader_for(CodecConfig(dims=2, **config), size=3)


@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_of_a_mat_are_those_of_its_arrays(compressed):
    """Whatever else stands in it, and however small MATLAB wrote them."""
    others = {"text": "abc", "cell": np.array([1, "a"], object), "struct": {"a": X}, "imaginary": X * 1j, "one": 3.0}
    for dtype in ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?"]:
        x = (X % (2 if dtype == "?" else 100)).astype(dtype)
        assert np.array_equal(read(mat(compressed, **others, cube=x)).values, x)
    whole = bytearray(mat(cube=X.astype(np.float64)))
    place = whole.index(X.astype(np.float64).tobytes(order="F")) - 8
    small = whole[:place] + struct.pack("<II", 2, X.size) + X.astype(np.uint8).tobytes(order="F")
    small[132:136] = struct.pack("<I", len(small) - 136)
    assert np.array_equal(read(bytes(small)).values, X)  # doubles that a byte each holds
    small[place + 4 : place + 8] = struct.pack("<I", X.size + 8)
    assert refused(bytes(small)) == "a damaged .mat: the numbers of 'cube' are not as many as its dimensions say"
