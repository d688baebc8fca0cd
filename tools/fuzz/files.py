"""Damaged files of samples: images, sound, arrays, video."""

import io
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np

from benchmarks.photographs import window
from tools.fuzz.damage import Attempt, damaged, sealed_png
from walloc_data.errors import SampleError
from walloc_data.signals import ArrayReader, AudioReader, Cutting, ImageReader, Reader, VideoReader, Window

__all__ = ["arrays", "images", "sound", "video"]

_PICTURES = ("BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "IM", "JPEG", "JPEG2000", "MPO", "MSP", "PCX", "PDF", "PNG")
_FURTHER = ("PPM", "QOI", "SGI", "SPIDER", "TGA", "TIFF", "WEBP", "AVIF", "XBM")


def _of_reader(
    files: Mapping[str, bytes], reader_of: Callable[[str], Reader], seal: Callable[[str, bytes], bytes] | None = None
) -> Attempt:
    """Files by name, read whole, and in two windows where their reader cuts them; each has to be right when whole."""
    names = sorted(files)
    for name in names:
        reader_of(name).read(files[name], name)

    def attempt(rng: np.random.Generator) -> str:
        name = names[rng.integers(len(names))]
        reader, data = reader_of(name), damaged(files[name], rng)
        if seal is not None and rng.integers(2):
            data = seal(name, data)
        try:
            values = reader.read(data, name).values
            outcome = "read"
        except SampleError as error:
            _check(error)
            return "an error of the sample"
        if not np.isfinite(values).all():
            raise ValueError("values that are no numbers")
        if isinstance(reader, Cutting) and reader.windows is not None:
            try:
                starts = reader.starts(data, name)
                for start in {*starts[:1], *starts[-1:]}:
                    reader.read(Window(data, start, 1), name)
                outcome = "read in windows"
            except SampleError as error:
                _check(error)
        return outcome

    return attempt


def _check(error: SampleError) -> None:
    text = str(error)
    if "\n" in text or len(text) > 1000:
        raise ValueError(f"no sentence of one line: {text[:2000]!r}")
    if "memory" in text.lower() and "Cannot allocate memory" not in text:  # as FFmpeg says it of sizes beyond its limit
        raise ValueError(f"memory by the word of a header: {text}")


def images() -> Attempt:
    """A picture in every format that Pillow writes, of several modes."""
    picture, files = window("chelsea", 3, (33, 24)), dict[str, bytes]()
    reader = ImageReader(size=None, resize="none", crop="none", max_pixels=1 << 20)
    for format in _PICTURES + _FURTHER:
        for mode in ("RGB", "L", "P", "RGBA", "1", "I;16", "CMYK"):
            file = io.BytesIO()
            with suppress(Exception):  # Pillow writes no such file, here, or does not read it
                picture.convert("L" if mode == "I;16" else mode).save(file, format)
                reader.read(file.getvalue(), format)
                files[f"{mode}.{format.lower()}"] = file.getvalue()
    file = io.BytesIO()
    picture.save(
        file, "JPEG", progressive=True, exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    )
    files["turned.jpg"] = file.getvalue()
    for name, options in {"lzw.tif": {"compression": "tiff_lzw"}, "packed.tif": {"compression": "packbits"}}.items():
        file = io.BytesIO()
        picture.save(file, "TIFF", **options)
        files[name] = file.getvalue()
    resized = ImageReader(size=16, max_pixels=1 << 20)

    def reader_of(name: str) -> Reader:
        return resized if name == "turned.jpg" else reader

    return _of_reader(files, reader_of, lambda name, data: sealed_png(data) if name.endswith("png") else data)


def sound() -> Attempt:
    """Half a second of a chirp in every format, cut into windows."""
    import av
    import soundfile

    times = np.arange(4000) / 8000
    chirp = (0.5 * np.sin(2 * np.pi * times * (200 + 400 * times)))[:, None].astype(np.float32)
    files = dict[str, bytes]()
    for format in ("WAV", "AIFF", "AU", "CAF", "FLAC", "MP3", "OGG", "W64", "RF64"):
        file = io.BytesIO()
        soundfile.write(file, chirp, 8000, format=format)
        files[f"chirp.{format.lower()}"] = file.getvalue()
    for suffix, codec, rate in (("mp4", "aac", 16000), ("adts", "aac", 16000), ("ac3", "ac3", 32000)):
        file = io.BytesIO()
        with av.open(file, "w", format=suffix) as container:
            stream = container.add_stream(codec, rate=rate, layout="mono")
            for part in np.repeat(chirp[:3072], 2, 0).reshape(-1, 1, 1536):
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout="mono")
                frame.rate = rate
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        files[f"chirp.{ {'mp4': 'm4a', 'adts': 'aac'}.get(suffix, suffix) }"] = file.getvalue()
    reader = AudioReader(channels=1, segment=0.125, mix="mean", max_samples=1 << 20)
    return _of_reader(files, lambda name: reader)


def arrays() -> Attempt:
    """Cubes of three bands in every format, whole or in tiles."""
    import scipy.io
    import tifffile

    cube = np.random.default_rng(0).integers(0, 200, (3, 20, 24), np.uint16)
    files = dict[str, bytes]()

    def add(name: str, write: Callable[..., Any], *values: Any, **options: Any) -> None:
        file = io.BytesIO()
        write(file, *values, **options)
        files[name] = file.getvalue()

    add("plain.npy", np.save, cube)
    add("fortran.npy", np.save, np.asfortranarray(cube.astype(np.float32)))
    add("plain.npz", np.savez, cube=cube)
    add("packed.npz", np.savez_compressed, cube=cube)
    add("plain.mat", scipy.io.savemat, {"cube": cube})
    add("packed.mat", scipy.io.savemat, {"cube": cube.astype(np.float64)}, do_compression=True)
    plain = {"photometric": "minisblack", "planarconfig": "separate"}
    add("plain.tif", tifffile.imwrite, cube, **plain)
    add("tiled.tif", tifffile.imwrite, cube, tile=(16, 16), **plain)
    add("packed.tif", tifffile.imwrite, cube, compression="zlib", predictor=True, **plain)
    add("lzw.tif", tifffile.imwrite, cube, compression="lzw", rowsperstrip=5, **plain)
    add("big.tif", tifffile.imwrite, cube, bigtiff=True, **plain)
    cutting = ArrayReader(channels=3, dims=2, nodata="mask", tile=8, max_values=1 << 20)
    whole, signals = (
        ArrayReader(channels=3, dims=2, max_values=1 << 20),
        ArrayReader(channels=2, dims=1, max_values=1 << 20),
    )
    files["signals.edf"] = _edf()

    def reader_of(name: str) -> Reader:
        return signals if name.endswith(".edf") else whole if "packed" in name else cutting

    return _of_reader(files, reader_of, _sealed)


def _sealed(name: str, data: bytes) -> bytes:
    """An array that is damaged within an archive which is whole."""
    if not name.endswith(".npz"):
        return data
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cube.npy", data[60:])
    return file.getvalue()


def _edf() -> bytes:
    """Two signals of EDF, four records of 64 samples each."""
    count, names = 2, ("one", "two")
    fields = [(16, names), (80, ("", "")), (8, ("uV", "uV")), (8, ("-100", "-100")), (8, ("100", "100"))]
    fields += [(8, ("-32768", "-32768")), (8, ("32767", "32767")), (80, ("", "")), (8, ("64", "64")), (32, ("", ""))]
    head = f"{'0':<168}01.01.0101.01.01{256 * (count + 1):<8}{'':<44}{4:<8}{1:<8}{count:<4}"
    head += "".join(f"{value:<{width}}" for width, values in fields for value in values)
    values = np.random.default_rng(0).integers(-3000, 3000, 4 * count * 64, np.int16)
    return head.encode("ascii") + values.astype("<i2").tobytes()


def video() -> Attempt:
    """Twelve small frames in the usual containers, in clips of four."""
    import av

    frames, files = [np.asarray(window("flower", 2 * number, (48, 32))) for number in range(12)], dict[str, bytes]()
    for format, codec in (
        ("mp4", "libx264"),
        ("mp4", "mpeg4"),
        ("matroska", "libx264"),
        ("webm", "libvpx"),
        ("avi", "mjpeg"),
        ("mpegts", "mpeg2video"),
        ("flv", "flv"),
        ("mov", "ffv1"),
        ("gif", "gif"),
    ):
        with suppress(Exception), NamedTemporaryFile() as file:  # not all are built into every FFmpeg
            with av.open(file.name, "w", format=format) as container:
                stream = container.add_stream(codec, rate=10)
                stream.height, stream.width = 32, 48
                stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p", "ffv1": "yuv420p"}.get(codec, "yuv420p")
                for picture in frames:
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                container.mux(stream.encode())
            suffix = {"matroska": "mkv", "mpegts": "ts"}.get(format, format)
            files[f"{codec}.{suffix}"] = file.read()
    reader = VideoReader(frames=4, size=None, resize="none", crop="none", max_pixels=1 << 20)
    for name in list(files):
        try:
            reader.read(files[name], name)
        except SampleError:
            del files[name]
    return _of_reader(files, lambda name: reader)
