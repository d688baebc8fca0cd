"""Files of sound, as they are and as they should not be."""

import io
import pickle
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import soxr

from tests.sounds import file_of, sound, write
from tests.without import error_without
from walloc_data import AudioReader
from walloc_data.errors import SampleError, SourceError
from walloc_data.signals import Signal, Window, reader_for

STEREO = sound(1.5, 44100, 2)


def with_header(data: bytes, place: int, number: int) -> bytes:
    """The bytes of a WAV with another 32-bit number in the header: its rate stands at 24, the bytes of sound at 40."""
    return data[:place] + number.to_bytes(4, "little") + data[place + 4 :]


@pytest.mark.parametrize(
    ("format", "subtype", "dtype", "error"),
    [
        ("WAV", "PCM_16", np.int16, 1e-4),
        ("WAV", "PCM_U8", np.int16, 1e-2),
        ("WAV", "PCM_24", np.float32, 1e-6),
        ("WAV", "FLOAT", np.float32, 0),
        ("FLAC", "PCM_16", np.int16, 1e-4),
        ("FLAC", "PCM_24", np.float32, 1e-6),
        ("AIFF", "PCM_16", np.int16, 1e-4),
        ("OGG", "VORBIS", np.float32, 0.2),
        ("MP3", "MPEG_LAYER_III", np.float32, 0.2),
    ],
)
def test_formats(format, subtype, dtype, error):
    signal = AudioReader().read(file_of(STEREO, 44100, format, subtype), "a file")
    assert (signal.values.dtype, signal.values.shape) == (dtype, STEREO.shape)
    values = signal.values / 32768 if dtype == np.int16 else signal.values
    assert np.abs(values - STEREO).max() <= error
    assert signal.fields == {
        "rate": 44100,
        "size": (66150,),
        "original_size": (66150,),
        "length": 66150,
        "clipped": 0,
    }


def test_sixteen_bits_come_as_they_are():
    values = np.random.default_rng(0).integers(-32768, 32768, (2, 5000)).astype(np.int16)
    for format in ("WAV", "FLAC"):
        assert np.array_equal(AudioReader().read(file_of(values, format=format), "a file").values, values)


def test_one_channel_of_several_and_several_of_one_by_asking():
    stereo, mono = file_of(STEREO, subtype="FLOAT"), file_of(STEREO[:1], subtype="PCM_16")
    with pytest.raises(SampleError, match=r"^a.wav: 2 channels, and the codec takes 1: mix=mean makes one of them"):
        AudioReader(channels=1).read(stereo, "a.wav")
    with pytest.raises(SampleError, match=r"^a.wav: 1 channels, and the codec takes 2: mix=repeat"):
        AudioReader().read(mono, "a.wav")
    mixed = AudioReader(channels=1, mix="mean")
    assert np.allclose(mixed.read(stereo, "a.wav").values, STEREO.mean(0), atol=1e-6)
    assert mixed.read(mono, "a.wav").values.dtype == np.int16
    repeated = AudioReader(mix="repeat").read(mono, "a.wav").values
    assert (repeated.dtype, repeated.shape) == (np.int16, STEREO.shape)
    assert np.array_equal(repeated[0], repeated[1])
    with pytest.raises(SampleError, match="7 channels, and the codec takes 2"):
        AudioReader(mix="repeat").read(file_of(sound(0.1, channels=7)), "a.wav")


def test_rates():
    signal = AudioReader(rate=16000).read(file_of(STEREO, 44100, subtype="FLOAT"), "a.wav")
    assert np.allclose(signal.values, soxr.resample(STEREO.T, 44100, 16000).T, atol=1e-6)
    assert (signal.fields["rate"], signal.fields["size"], signal.fields["original_size"]) == (16000, (24000,), (66150,))
    assert AudioReader(rate=8000).read(file_of(STEREO), "a.wav").values.dtype == np.int16


@pytest.mark.parametrize("rate", [None, 8000, 16000, 11025, 48000])
@pytest.mark.parametrize("segment", [0.25, 0.4001, 3])
@pytest.mark.parametrize("kind", ["bytes", "path", "array"])
def test_windows_are_those_of_the_whole(tmp_path, rate, segment, kind):
    if kind == "array" and rate is None:
        return
    data = file_of(STEREO, 44100, "FLAC")
    if kind == "path":
        (tmp_path / "a.flac").write_bytes(data)
        data = tmp_path / "a.flac"
    elif kind == "array":
        data = STEREO
    whole = AudioReader(rate=rate).read(data, "a.flac")
    reader = pickle.loads(pickle.dumps(AudioReader(rate=rate, segment=segment)))
    starts = reader.starts(data, "a.flac")
    step = round(segment * whole.fields["rate"])
    assert len(starts) == -(-whole.values.shape[1] // step)
    windows = [reader.read(Window(data, start, 0), "a.flac") for start in starts]
    assert {window.values.shape for window in windows} == {(2, step)}
    assert [window.fields["start"] for window in windows] == starts
    assert sum(window.fields["length"] for window in windows) == whole.fields["length"]
    joined = np.concatenate([window.values for window in windows], 1)
    assert not joined[:, whole.fields["length"] :].any()
    assert np.abs(joined[:, : whole.fields["length"]] - whole.values).max() <= 2e-6
    with pytest.raises(SampleError, match=r"^a.flac: it has \d+ samples at a rate of \d+, and no segment at 99 s"):
        reader.read(Window(data, 99.0, 0), "a.flac")


def test_floats_beyond_full_scale_are_clipped_and_counted():
    values = sound(0.5)
    values[0, 100:107] = [1.2, -1.2, 1, -1, 1.9, -2, 1.00001]
    signal = AudioReader(channels=1).read(file_of(values, subtype="FLOAT"), "a.wav")
    assert (signal.values.min(), signal.values.max(), signal.fields["clipped"]) == (-1, 1, 5)
    for wrong, message in ((20000, "loudest value is 20000"), (np.nan, "no numbers"), (np.inf, "no numbers")):
        values[0, 50] = wrong
        with pytest.raises(SampleError, match=message):
            AudioReader(channels=1).read(file_of(values, subtype="FLOAT"), "a.wav")


@pytest.mark.parametrize("length", [1, 2, 255])
def test_silence_and_next_to_nothing(length):
    signal = AudioReader(channels=1).read(file_of(np.zeros((1, length), np.int16)), "a.wav")
    assert (signal.values.shape, signal.values.any()) == ((1, length), False)
    with pytest.raises(SampleError, match="holds no samples"):
        AudioReader(channels=1).read(file_of(np.zeros((1, 0), np.int16)), "a.wav")
    with pytest.raises(SampleError, match="nothing of it is left at 10 samples"):
        AudioReader(channels=1, rate=10).read(file_of(np.zeros((1, length), np.int16)), "a.wav")


@pytest.mark.parametrize("rate", [0, 2_000_000_000, 4_000_000_000])
def test_rates_that_lie(rate):
    with pytest.raises(SampleError, match=r"^a.wav: its header says"):
        AudioReader(channels=1, rate=16000).read(with_header(file_of(sound(0.1)), 24, rate), "a.wav")


def test_a_rate_that_would_make_much_of_little():
    slow = with_header(file_of(sound(1)), 24, 1)
    with pytest.raises(SampleError, match="more than the limit of 67108864: read it in segments"):
        AudioReader(channels=1, rate=48000).read(slow, "a.wav")


@pytest.mark.parametrize("format", ["WAV", "AIFF", "FLAC", "MP3"])
@pytest.mark.parametrize("share", [0.3, 0.97])
def test_files_cut_short(format, share):
    data = file_of(STEREO, 44100, format)
    with pytest.raises(SampleError, match=r"^a file: (cut short|damaged or cut short .flac decoder lost sync)"):
        AudioReader().read(data[: int(len(data) * share)], "a file")


def test_a_header_that_says_more_than_there_is():
    data = file_of(STEREO, 44100)
    with pytest.raises(
        SampleError, match="cut short: its header says 900000 bytes of sound, and the file holds 264600"
    ):
        AudioReader().read(with_header(data, 40, 900_000), "a.wav")
    for unknown in (0xFFFFFFFF, 0x7FFFFFFF):  # of writers to pipes
        assert AudioReader().read(with_header(data, 40, unknown), "a.wav").values.shape == STEREO.shape


@pytest.mark.parametrize("level", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("rate", [44100, 16000])
def test_an_mp3_says_how_long_it_is_or_has_one_bit_rate(rate, level):
    values = sound(3, rate)
    values[:, rate:] += np.random.default_rng(0).normal(0, 0.1, values[:, rate:].shape).astype(np.float32)
    reader = AudioReader(channels=1)
    for mode in ("CONSTANT", "VARIABLE"):
        file = io.BytesIO()
        with soundfile.SoundFile(
            file, "w", rate, 1, format="MP3", bitrate_mode=mode, compression_level=level
        ) as writer:
            writer.write(values.T)
        data = file.getvalue()
        for whole in (data, b"ID3\x03\x00\x00\x00\x00\x02\x00" + bytes(256) + data):
            assert abs(reader.read(whole, "a.mp3").values.shape[1] - 3 * rate) <= 3 * 1152
            assert len(AudioReader(channels=1, segment=0.5).starts(whole, "a.mp3")) in (6, 7)
        second = data.find(data[:2], 40)
        if mode == "CONSTANT":
            assert abs(reader.read(data[second:], "a.mp3").values.shape[1] - 3 * rate) <= 3 * 1152
        else:
            with pytest.raises(SampleError, match="an MP3 of variable bit rate that does not say how long it is"):
                reader.read(data[second:], "a.mp3")


def test_a_flac_that_does_not_say_how_long_it_is():
    data = bytearray(file_of(STEREO, 44100, "FLAC"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    with pytest.raises(SampleError, match=r"^a.flac: its header does not say how long it is"):
        AudioReader().read(bytes(data), "a.flac")


@pytest.mark.parametrize("data", [b"", b"text " * 30, bytes(4000), b"RIFF" + bytes(60), b"fLaC" + bytes(60), b"ID3"])
def test_what_is_no_sound(data):
    for reader in (AudioReader(), AudioReader(segment=1)):
        with pytest.raises(SampleError, match=r"^a file: "):
            reader.read(data, "a file")
        with pytest.raises(SampleError, match=r"^a file: "):
            reader.starts(data, "a file")


def test_damage_anywhere_is_a_sample_error_or_sound():
    rng = np.random.default_rng(1)
    for format in ("AIFF", "WAV", "FLAC", "OGG"):
        whole = file_of(sound(0.2, channels=2), format=format)
        for number in range(40):
            data = bytearray(whole)
            for place in rng.integers(0, len(data) if number % 2 else 80, 3):
                data[place] = rng.integers(256)
            with suppress(SampleError):
                assert isinstance(AudioReader(mix="repeat").read(bytes(data), "a file"), Signal)


def test_arrays():
    values = (sound(0.2, channels=2) * 32767).astype(np.int16)
    assert np.array_equal(AudioReader().read(values, "an array").values, values)
    assert AudioReader().read(values, "an array").fields["rate"] == 0
    assert AudioReader(channels=1, rate=8000).read(sound(0.2)[0].astype(np.float64), "an array").fields["rate"] == 8000
    for wrong in (values.astype(np.int32), values[None], np.zeros((2, 9), "U1")):
        with pytest.raises(SampleError, match="is no sound"):
            AudioReader().read(wrong, "an array")
    with pytest.raises(SampleError, match="nothing says its samples a second"):
        AudioReader(segment=1).starts(values, "an array")
    with pytest.raises(SampleError, match="not dict"):
        AudioReader().read({}, "a dict")


def test_more_segments_than_any_recording_has():
    reader, silence = AudioReader(channels=1, rate=100, segment=0.01), np.zeros(5_000_000, np.int16)
    with pytest.raises(SampleError, match="a: its header says 5000000 samples: more segments than any"):
        reader.starts(silence, "a")
    with pytest.raises(SampleError, match="more segments than any"):  # or its first would stand for all
        reader.read(Window(silence, 0.0, 0), "a")


def test_a_path_that_is_gone_is_no_fault_of_the_sample(tmp_path):
    path = write(tmp_path / "a.wav", sound(0.1))
    path.unlink()
    with pytest.raises(SourceError, match=r"a.wav: cannot be read \(No such file"):
        AudioReader(channels=1).read(path, "a.wav")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "channels=0 is below 1"),
        ({"rate": 0}, "rate=0 is below 1"),
        ({"rate": 44.1}, "rate=44.1 is not a whole number"),
        ({"segment": 0}, "segment=0 is below"),
        ({"segment": 1e308}, "or endless"),
        ({"segment": "long"}, "segment='long' is no number"),
        ({"mix": "left"}, "mix='left' is not one of"),
        ({"mix": "mean"}, "mix='mean' is not for a codec of 2 channels"),
        ({"channels": 1, "mix": "repeat"}, "not for a codec of 1 channels"),
        ({"max_samples": 0}, "max_samples=0"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(SourceError, match=message):
        AudioReader(**options)


def test_a_codec_finds_its_reader():
    config = SimpleNamespace(name="mono", kind="audio", dims=1, signal_channels=1)
    reader = reader_for(config, rate=16000, segment=4)
    assert reader == AudioReader(channels=1, rate=16000, segment=4.0)
    assert reader.config() == {"channels": 1, "rate": 16000, "segment": 4.0}
    with pytest.raises(SourceError, match="audio is read without 'size'"):
        reader_for(config, size=256)


def test_the_extra_is_named_where_it_is_not_installed():
    said = error_without("soundfile", "w.AudioReader()")
    assert said.startswith("walloc_data.errors.SourceError: ")
    assert said.endswith("pip install 'walloc-data[audio]'")
