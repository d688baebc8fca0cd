"""Sound that PyAV reads: AAC in MP4 and by itself, ALAC, AC-3, G.722."""

import io
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.sounds import sound, write
from tests.without import error_without
from walloc_data import AudioReader
from walloc_data.errors import SampleError
from walloc_data.signals import Window
from walloc_data.sources import open_source

RATE = 44100
TIME = np.arange(66150) / RATE
STEREO = (0.3 * np.sin(2 * np.pi * TIME * [[300], [450]]) * np.sin(2 * np.pi * TIME)).astype(np.float32)  # no noise:
# AAC does not keep it, and decoders make it up
KINDS = [("a.m4a", "mp4", "aac"), ("a.aac", "adts", "aac"), ("a.mp4", "mp4", "alac"), ("a.ac3", "ac3", "ac3")]


def encoded(values: np.ndarray, container: str, codec: str, rate: int = RATE, **tags: str) -> bytes:
    """A file of `[channels, samples]`."""
    file = io.BytesIO()
    layout = {1: "mono", 2: "stereo"}[len(values)]
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 192_000
        out.metadata.update(tags)
        for start in range(0, values.shape[1], 4000):
            part = np.ascontiguousarray(values[:, start : start + 4000])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {name: encoded(STEREO, container, codec) for name, container, codec in KINDS}


@pytest.mark.parametrize("name", [name for name, _, _ in KINDS])
def test_files_and_their_windows(files, name, tmp_path):
    signal = AudioReader().read(files[name], name)
    assert (signal.values.dtype, signal.fields["rate"], signal.fields["clipped"]) == (np.float32, RATE, 0)
    count, added = signal.values.shape[1], {"a.aac": 1024, "a.ac3": 256}.get(name, 0)  # by encoders, and not told
    assert STEREO.shape[1] <= count <= STEREO.shape[1] + added + 1536 * bool(added)
    assert np.square(signal.values[:, added : added + STEREO.shape[1]] - STEREO).mean() < (
        0.01 if name == "a.ac3" else 1e-4
    )
    (tmp_path / name).write_bytes(files[name])
    reader = AudioReader(segment=0.4)
    for data in (files[name], tmp_path / name):
        starts = reader.starts(data, name)
        parts = [reader.read(Window(data, start, 0), name) for start in starts]
        joined = np.concatenate([part.values[:, : part.fields["length"]] for part in parts], 1)
        assert joined.shape == signal.values.shape
        assert np.abs(joined - signal.values).max() < (0.1 if name == "a.ac3" else 1e-4)  # whose decoder adds noise


def test_mp4_is_known_by_what_is_in_it(files):
    assert np.array_equal(
        AudioReader().read(files["a.m4a"], "a.mp3").values, AudioReader().read(files["a.m4a"], "a.m4a").values
    )


def test_titles_that_are_no_text_are_passed_over():
    data = encoded(STEREO, "mp4", "aac", title="TITLE")
    assert data.count(b"TITLE") == 1
    signal = AudioReader().read(data.replace(b"TITLE", b"\xff\xfe\xc0\x80\xff"), "a.m4a")
    assert signal.values.shape == STEREO.shape


def test_sixteen_bits_of_g722_come_as_they_are():
    signal = AudioReader(channels=1).read(encoded(sound(1, 16000), "g722", "g722", 16000), "a.g722")
    assert (signal.values.dtype, signal.fields["rate"]) == (np.int16, 16000)
    error = signal.values[0, 4022:15022] / 32768 - sound(1, 16000)[0, 4000:15000]
    assert np.square(error).mean() < 1e-3


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
@pytest.mark.parametrize("name", ["a.m4a", "a.mp4"])
def test_files_cut_short(files, name, share):
    with pytest.raises(SampleError, match=rf"^{name}: (damaged or cut short|cut short or damaged|it holds no)"):
        AudioReader().read(files[name][: int(share * len(files[name]))], name)


def test_what_is_no_sound():
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        out.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        out.mux(stream.encode(None))
    with pytest.raises(SampleError, match=r"^a.mp4: there is no sound in it"):
        AudioReader().read(file.getvalue(), "a.mp4")
    playlist = b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    for data in (b"", b"text " * 30, bytes(4000), playlist, b"\0\0\0\x18ftypM4A " + bytes(60)):
        for name in ("a.m4a", "a.aac", "a.ac3"):
            with pytest.raises(SampleError, match=rf"^{name}: "):
                AudioReader().read(data, name)


def test_damage_anywhere_is_a_sample_error_or_sound(files):
    rng = np.random.default_rng(1)
    for name in ("a.m4a", "a.aac"):
        for _ in range(20):
            data = bytearray(files[name])
            for place in rng.integers(0, len(data), 3):
                data[place] = rng.integers(256)
            with suppress(SampleError):
                assert AudioReader().read(bytes(data), name).values.shape[0] == 2


def test_folders_list_them(files, tmp_path):
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    write(tmp_path / "b.wav", STEREO, RATE)
    assert len(open_source(tmp_path, suffixes=AudioReader.suffixes).splits["train"]) == 5


def test_the_extra_is_named_where_it_is_not_installed():
    said = error_without("av", "w.AudioReader().read(bytes(100), 'a.m4a')")
    assert said.startswith("walloc_data.errors.SourceError: ")
    assert said.endswith("pip install 'walloc-data[video]'")
