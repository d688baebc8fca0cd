"""Files of video, as they are and as they should not be."""

import pickle
from fractions import Fraction
from itertools import product
from types import SimpleNamespace

import av
import numpy as np
import pytest

from tests.films import film, numbers, pictures, sound_alone, turned
from tests.without import error_without
from walloc_data import VideoReader
from walloc_data.errors import SampleError, SourceError
from walloc_data.signals import Signal, Window, reader_for
from walloc_data.signals.footage import open_footage

FRAMES = pictures(40)


@pytest.fixture(scope="session")
def four_seconds() -> bytes:
    """An MP4 of 40 frames, 10 a second, with frames that refer to later ones."""
    return film(FRAMES, options={"bf": "2"})


def reader(**options: object) -> VideoReader:
    return VideoReader(**{"frames": 8, "resize": "none", "crop": "none"} | options)


def clips(data: object, reading: VideoReader) -> list[Signal]:
    return [reading.read(Window(data, start, 0), "a film") for start in reading.starts(data, "a film")]


def true(signal: Signal) -> list[int]:
    """The frames of a clip before the last one is repeated."""
    found, length = numbers(signal.values), int(signal.fields["length"])
    assert found[length:] == [found[length - 1]] * (len(found) - length)
    return found[:length]


@pytest.mark.parametrize(
    ("format", "codec", "ahead"),
    [
        *product(["mp4", "matroska", "mpegts"], ["libx264"], ["0", "2"]),  # frames that refer to later ones
        *product(["mp4", "mov", "avi"], ["mpeg4"], ["0", "2"]),
        *product(["mpeg", "mxf"], ["mpeg2video"], ["0", "2"]),
        ("webm", "libvpx", "0"),
        ("asf", "wmv2", "0"),
        ("flv", "flv", "0"),
        ("yuv4mpegpipe", "rawvideo", "0"),
    ],
)
def test_clips_joined_are_the_film(format, codec, ahead):
    rate = 25 if codec == "mpeg2video" else 10
    data = film(FRAMES, format=format, codec=codec, rate=rate, options={"bf": ahead} if ahead != "0" else {})
    found = clips(data, reader(frames=9))
    assert [number for clip in found for number in true(clip)] == list(range(40))
    assert [clip.fields["start"] for clip in found] == pytest.approx([9 * i / rate for i in range(5)])
    assert {(*clip.fields["original_size"], float(clip.fields["rate"])) for clip in found} == {(40, 48, 64, rate)}
    assert {(clip.values.dtype, clip.values.shape) for clip in found} == {(np.dtype(np.uint8), (3, 9, 48, 64))}
    assert [int(clip.fields["length"]) for clip in found] == [9, 9, 9, 9, 4]


def test_a_file_is_not_decoded_from_its_start(four_seconds, tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    path.write_bytes(four_seconds)
    from walloc_data.signals.footage import _Film

    seen = []
    frames = _Film._frames

    def counted(self):
        for frame in frames(self):
            seen.append(frame.pts)
            yield frame

    monkeypatch.setattr(_Film, "_frames", counted)
    signal = reader().read(Window(path, 3.0, 0), "a.mp4")
    assert true(signal) == list(range(30, 38))
    assert len(seen) <= 12 + 8  # keyframes come every 12 frames


def test_rates_choose_frames_by_their_times(four_seconds):
    assert list(map(true, clips(four_seconds, reader(rate=5)))) == [
        list(range(0, 16, 2)),
        list(range(16, 32, 2)),
        [32, 34, 36, 38],
    ]
    [clip] = clips(four_seconds, reader(rate=20, frames=100))
    assert true(clip) == [number // 2 for number in range(80)]
    assert float(clip.fields["rate"]) == 20


def test_stride_is_seconds_between_clips(four_seconds):
    found = clips(four_seconds, reader(stride=1.3))
    assert [true(clip)[0] for clip in found] == [0, 13, 26, 39]
    assert [clip.fields["start"] for clip in found] == pytest.approx([0, 1.3, 2.6, 3.9])
    overlapping = clips(four_seconds, reader(stride=0.4, frames=30))
    assert [true(clip)[0] for clip in overlapping] == [0, 4, 8, 12]  # and none more, since the last reaches the end
    assert len(clips(four_seconds, reader(stride=1000))) == 1
    [short] = clips(four_seconds, reader(frames=64))
    assert true(short) == list(range(40))


def test_strides_that_are_no_whole_number_of_frames():
    for count, stride in product((5, 16, 31), (0.1, 0.37)):
        frames = np.zeros((count, 1, 1, 3), np.uint8)
        found = clips(frames, reader(frames=1, stride=stride, rate=24000 / 1001))
        assert {int(clip.fields["length"]) for clip in found} == {1}


@pytest.mark.parametrize("format", ["mp4", "matroska"])
def test_a_rate_that_varies(format):
    times = [100 * i for i in range(10)] + [1000 + 20 * i for i in range(20)] + [1400 + 300 * i for i in range(10)]
    data = film(FRAMES, format=format, times=times, rate=50)
    found = clips(data, reader(rate=10))
    shown = [number for clip in found for number in true(clip)]
    assert shown == [max(i for i, time in enumerate(times) if time <= 100 * place) for place in range(len(shown))]
    assert len(shown) == 42 if format == "mp4" else len(shown) >= 41  # Matroska does not say how long the last one is


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_films_are_turned_upright(four_seconds, degrees):
    plain = reader().read(four_seconds, "a film")
    signal = reader().read(turned(four_seconds, degrees), "a film")
    assert np.array_equal(signal.values, np.rot90(plain.values, -degrees // 90, (2, 3)))
    height, width = (48, 64) if degrees == 180 else (64, 48)
    assert signal.fields["original_size"] == (40, height, width)
    assert signal.fields["size"] == (8, height, width)


def test_frames_are_resized_and_cut_as_images_are(four_seconds):
    for options, size in (
        ({"size": 32}, (32, 43)),
        ({"size": 32, "crop": "center"}, (32, 32)),
        ({"size": 32, "resize": "squash"}, (32, 32)),
        ({"size": 32, "resize": "none", "crop": "center"}, (32, 32)),
    ):
        signal = reader(**{"resize": "shorter"} | options).read(four_seconds, "a film")
        assert (signal.values.shape[2:], true(signal)) == (size, list(range(8)))
    middle = reader(size=32, crop="center").read(four_seconds, "a film").values
    assert np.array_equal(middle, reader().read(four_seconds, "a film").values[:, :, 8:40, 16:48])


def test_pixels_that_are_not_square_become_so():
    def wide(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)

    signal = reader().read(film(FRAMES, of=wide), "a film")
    assert (signal.values.shape, signal.fields["original_size"]) == ((3, 8, 48, 128), (40, 48, 64))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le", "yuv444p"])
@pytest.mark.parametrize(("matrix", "red", "blue"), [(1, 0.2126, 0.0722), (5, 0.299, 0.114), (2, 0.299, 0.114)])
def test_colours_are_what_the_file_says(matrix, red, blue, pixels, full):
    deep = 4 if pixels.endswith("10le") else 1

    def tagged(stream):
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1

    luma, chroma = np.array([100, 60, 180]), np.array([[140, 120], [110, 150], [128, 128]])
    frames = [np.zeros((32, 32, 3), np.uint8)] * 3
    made = iter(range(3))

    def planes(picture):
        number, frame = next(made), av.VideoFrame(32, 32, pixels)
        for plane, value in zip(frame.planes, (luma[number], *chroma[number]), strict=True):
            dtype = np.uint16 if deep > 1 else np.uint8
            plane.update(np.full(plane.buffer_size // np.dtype(dtype).itemsize, value * deep, dtype).tobytes())
        return frame

    data = film(frames, pixels=pixels, of=tagged, frame_of=planes, options={"qp": "0", "crf": "0"})
    found = reader(frames=3).read(data, "a film").values.mean((2, 3)).T
    y, u, v = (luma / 255, *(chroma.T - 128) / 255) if full else ((luma - 16) / 219, *(chroma.T - 128) / 224)
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    expected = 255 * np.stack([r, (y - red * r - blue * b) / (1 - red - blue), b], 1)
    assert np.abs(found - expected).max() < 1.5


def test_interlaced_frames_are_made_whole():
    frames = []
    for number in range(16):
        picture = np.zeros((64, 96, 3), np.uint8)
        for field in (0, 1):
            place = 4 * number + 2 * field
            picture[field::2, place : place + 16] = 255
        frames.append(picture)
    woven = {"flags": "+ildct+ilme"}
    data = film(frames, codec="mpeg2video", format="mpeg", rate=25, options=woven)
    values = reader().read(data, "a film").values.astype(float)
    combed = np.abs(values[:, :, 1:-1] - (values[:, :, :-2] + values[:, :, 2:]) / 2).mean()
    assert combed < 1
    assert abs(values[0, 5].argmax(1).mean() - 21) < 3


def test_gray(four_seconds):
    signal = VideoReader(channels=1, frames=8, size=None).read(four_seconds, "a film")
    colour = VideoReader(frames=8, size=None).read(four_seconds, "a film").values.astype(float)
    assert signal.values.shape == (1, 8, 48, 64)
    assert np.abs(signal.values[0] - np.tensordot([0.299, 0.587, 0.114], colour, 1)).max() <= 0.51


def test_arrays():
    array = np.stack(FRAMES)
    for given in (array, array.transpose(3, 0, 1, 2)):
        found = clips(given, reader(rate=4))
        assert [true(clip) for clip in found] == [list(range(8 * i, 8 * i + 8)) for i in range(5)]
        assert np.array_equal(found[1].values, array.transpose(3, 0, 1, 2)[:, 8:16])
        assert [clip.fields["start"] for clip in found] == [0, 2, 4, 6, 8]
    for bad in (array.astype(np.float32), array[0], array[:, :0], np.zeros((4, 5, 6, 4), np.uint8)):
        with pytest.raises(SampleError, match=r"^a film: an array of \w+ and shape .* is no video"):
            reader().read(bad, "a film")


def test_what_is_no_video(four_seconds):
    for data, reason in (
        (b"", "no video that FFmpeg knows"),
        (b"text " * 1000, "no video that FFmpeg knows"),
        (four_seconds[: len(four_seconds) // 2], "no video that FFmpeg knows, damaged, or cut short"),  # no header
        (sound_alone(), "it holds no video, but audio"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "no video that FFmpeg knows"),  # a playlist is not followed
    ):
        for ask in (reader().read, reader().starts):
            with pytest.raises(SampleError, match=f"^a film: {reason}"):
                ask(data, "a film")
    with pytest.raises(SampleError, match="video is the bytes of a file, its path or an array, not int"):
        reader().read(3, "a film")


@pytest.mark.parametrize("format", ["mp4", "matroska", "mpegts"])
def test_a_film_cut_short_keeps_what_is_whole(format):
    front = {"movflags": "+faststart"} if format == "mp4" else {}
    data = film(FRAMES, format=format, options={"qp": "1"}, muxing=front)
    data = data[: len(data) * 2 // 3]
    found, reasons = [], []
    for start in reader().starts(data, "a film"):
        try:
            found += true(reader().read(Window(data, start, 0), "a film"))
        except SampleError as error:
            reasons.append(str(error))
    whole = [number for place, number in enumerate(found) if place == number]
    assert len(found) - len(whole) <= 2  # frames that the last one may stand for
    assert 16 <= len(whole) < 40
    if format != "mpegts":  # which does not say how long it is
        assert len(found) % 8 == 0
        assert len(reasons) == 5 - len(found) // 8
        assert all(reason.startswith(("a film: cut short", "a film: damaged")) for reason in reasons)


def test_too_large_too_fast_and_nowhere(four_seconds):
    with pytest.raises(SampleError, match="frames of 64 x 48 pixels: more than 1000"):
        reader(max_pixels=1000).read(four_seconds, "a film")
    with pytest.raises(SampleError, match="a clip of 8 x 48 x 64 pixels is more than the limit of 9999: take fewer"):
        reader(max_pixels=9999).read(four_seconds, "a film")
    with pytest.raises(SampleError, match=r"it has 4\.00 s, and no clip at 7 s"):
        reader().read(Window(four_seconds, 7, 0), "a film")
    with pytest.raises(SampleError, match="a film: its header says 5000 s: more clips than any video has"):
        reader(stride=0.001, rate=1).starts(np.zeros((5000, 1, 1, 3), np.uint8), "a film")
    with pytest.raises(SampleError, match="more clips than any video has"):  # or its first would stand for all
        reader(stride=0.001, rate=1).read(Window(np.zeros((5000, 1, 1, 3), np.uint8), 0.0, 0), "a film")
    with pytest.raises(SampleError, match="clips begin 5e-05 s apart, which no key can say: take more frames"):
        reader(frames=1, rate=20_000).starts(np.zeros((2, 1, 1, 3), np.uint8), "a film")
    with pytest.raises(SampleError, match="frames of 7680000 x 256 pixels once resized: more than"):
        VideoReader(frames=1).read(np.zeros((1, 1, 30000, 3), np.uint8), "a film")
    fast = film(FRAMES, rate=1000)
    with pytest.raises(SampleError, match="give rate"):
        reader().starts(fast, "a film")
    assert len(reader(rate=500).starts(fast, "a film")) == 3


def test_options():
    for wrong in ("frames", "size", "max_pixels"):
        with pytest.raises(SourceError, match=wrong):
            VideoReader(**{wrong: 0})
    for wrong, value in (("rate", 0), ("rate", "fast"), ("stride", -1), ("rate", float("nan")), ("stride", 1e308)):
        with pytest.raises(SourceError, match=f"{wrong}="):
            VideoReader(**{wrong: value})
    with pytest.raises(SourceError, match="resize is one of"):
        VideoReader(resize="wider")
    with pytest.raises(SourceError, match="1 or 3 channels"):
        VideoReader(channels=4)
    chosen = VideoReader(frames=32, rate=8, size=128)
    assert chosen.config() == {"channels": 3, "frames": 32, "rate": 8.0, "size": 128}
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    assert chosen.windows == "clips of 32 frames"


def test_codecs_of_video_are_read_by_it():
    config = SimpleNamespace(name="a", kind="video", dims=3, signal_channels=3)
    assert reader_for(config, frames=4) == VideoReader(frames=4)
    with pytest.raises(SourceError, match="video is read without 'segment': its options are"):
        reader_for(config, segment=4)


def test_without_av_it_says_what_to_install():
    said = error_without("av", "w.VideoReader()")
    assert said.startswith("walloc_data.errors.SourceError: ")
    assert said.endswith("pip install 'walloc-data[video]'")


def test_no_decoder_makes_frames_beyond_the_limit():
    """Whatever a file says of them before, and wherever in it they become so large."""
    data = film(pictures(2, (480, 640)))
    with open_footage(data, None, max_pixels=480 * 640) as footage:
        assert next(footage.shown([0.0])).width == 640
    with pytest.raises(SampleError, match="no video"), open_footage(data, None, max_pixels=480) as footage:
        next(footage.shown([0.0]))
