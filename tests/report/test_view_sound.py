"""Pictures of sound, files to listen to, and their originals wherever they lie."""

import io
import wave

import numpy as np
import pytest
from PIL import Image

from tests.photographs import contents
from tests.sounds import sound, write
from tests.sources.archives import write_tar
from tests.test_sound import RATE, fitted
from walloc_data import AudioReader, LatentDataset, shard_dataset
from walloc_data.cli import main
from walloc_data.errors import WallocError
from walloc_data.originals import Originals
from walloc_data.report.spectrogram import draw_spectrogram, spectrogram
from walloc_data.report.view import contact_sheet, small_picture


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    root = tmp_path_factory.mktemp("view") / "recordings"
    for number in range(4):
        write(root / "ab"[number % 2] / f"{number}.wav", sound(0.6 + 0.1 * number, RATE, 2, seed=number))
    return root


@pytest.fixture(scope="module")
def windows(recordings, tmp_path_factory):
    out = tmp_path_factory.mktemp("view") / "out"
    shard_dataset(recordings, out, codec=fitted(2), reader=AudioReader(channels=2, segment=0.25))
    return out


def pcm(path):
    with wave.open(str(path)) as file:
        values = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return file.getframerate(), values.reshape(-1, file.getnchannels()).T


def test_windows_beside_their_originals(windows, recordings, tmp_path, capsys):
    status = main(["view", str(windows), str(tmp_path / "v.png"), "--against", str(recordings), "--count", "5"])
    said = capsys.readouterr().out
    assert (status, said.count(" dB\n"), said.count("#")) == (0, 6, 6)
    assert f"10 files, such as {tmp_path / 'v-files'}" in said
    dataset = LatentDataset(windows, decode="signal")
    for number in range(5):
        index = number * len(dataset) // 5
        fields = dataset.fields(index)
        [path] = (tmp_path / "v-files").glob(f"{number:02d}-*[0-9].wav")
        rate, values = pcm(path)
        assert (rate, values.shape) == (RATE, (2, fields["length"]))
        assert np.abs(values / 32768 - dataset[index][0].numpy()).max() < 1e-4
        key, first = fields["key"].partition("#")[0], round(fields["start"] * RATE)
        whole = AudioReader(channels=2).read((recordings / key).read_bytes(), key).values
        original = pcm(path.with_name(path.stem + ".original.wav"))[1]
        assert np.array_equal(original, whole[:, first : first + fields["length"]])
    with Image.open(tmp_path / "v.png") as sheet:
        assert sheet.width == 2 * (52 + 400 + 4)


def test_without_originals_and_with_what_is_no_folder_of_ours(windows, recordings, tmp_path, capsys):
    assert main(["view", str(windows), str(tmp_path / "v.png"), "--count", "2"]) == 0
    assert "dB" not in capsys.readouterr().out
    assert len(list((tmp_path / "v-files").iterdir())) == 2
    (tmp_path / "empty").mkdir()
    assert main(["view", str(windows), str(tmp_path / "v.png"), "--originals", str(tmp_path / "empty")]) == 1
    assert "originals: " in capsys.readouterr().err
    write(tmp_path / "others" / "c.wav", sound(1, RATE, 2))
    assert main(["view", str(windows), str(tmp_path / "v.png"), "--originals", str(tmp_path / "others")]) == 1
    assert "holds none of these samples' originals" in capsys.readouterr().err


def test_a_picture_called_as_the_dataset_leaves_it_alone(windows, tmp_path):
    before = contents(windows)
    assert main(["view", str(windows), f"{windows}.png", "--count", "1"]) == 0
    assert contents(windows) == before
    assert len(list(windows.with_name(f"{windows.name}-files").iterdir())) == 1


def test_originals_in_tars(recordings, tmp_path):
    files = sorted(recordings.rglob("*.wav"))
    tar = write_tar(tmp_path / "train.tar", [(file.name, file.read_bytes()) for file in files])
    for number, segment in enumerate((None, 0.25)):
        out, reader = tmp_path / f"out{number}", AudioReader(channels=2, segment=segment)
        shard_dataset(tar, out, codec=fitted(2), reader=reader)
        dataset = LatentDataset(out, decode="signal")
        _, shown = contact_sheet(dataset, count=3, original_of=Originals(dataset, tar).signal)
        assert all(one.psnr > 30 for one in shown)


def test_a_key_reaches_no_file_outside(windows, recordings, tmp_path):
    write(tmp_path / "secret.wav", sound(1, RATE, 2))
    inside = tmp_path / "inside"
    write(inside / "a.wav", sound(1, RATE, 2))
    originals = Originals(LatentDataset(windows), inside)
    assert originals.signal({"key": "a.wav#0.25", "start": 0.25}).shape == (2, 2000)
    for key in ("../secret.wav#0", f"{tmp_path}/secret.wav#0", "a.wav\0#0", "", "#0"):
        assert originals.signal({"key": key, "start": 0.0}) is None


def test_files_stay_in_their_folder_whatever_a_key_is(recordings, tmp_path):
    source = [sound(0.3, RATE, seed=number) for number in range(2)]
    shard_dataset(source, tmp_path / "out", codec=fitted(), reader=AudioReader(channels=1, rate=RATE))
    dataset = LatentDataset(tmp_path / "out", decode="signal")
    fields = dataset.fields
    dataset.fields = lambda index: {**fields(index), "key": "../../" + "x/" * 200 + "\0.wav"}
    _, shown = contact_sheet(dataset, files=tmp_path / "files")
    assert len(shown) == len(list((tmp_path / "files").iterdir())) == 2


def test_what_has_no_rate_is_drawn_and_not_written(tmp_path):
    shard_dataset([sound(0.3, RATE)], tmp_path / "out", codec=fitted(), reader=AudioReader(channels=1))
    sheet, shown = contact_sheet(LatentDataset(tmp_path / "out", decode="signal"), files=tmp_path / "files")
    assert (shown[0].files, sheet.width > 400) == ([], True)


def test_a_spectrogram_is_of_decibels_and_hertz():
    time = np.arange(16000) / 16000
    tone = np.sin(2 * np.pi * 2000 * time)[None]
    power = spectrogram(tone, 16000, columns=7)
    frequencies = np.linspace(0, 8000, len(power))
    assert power.shape == (257, 7)
    assert frequencies[power.argmax(0)] == pytest.approx(2000)
    assert power.max(0) == pytest.approx(0, abs=0.01)
    assert spectrogram(np.zeros((2, 1)), 8000).max() == pytest.approx(-120)
    low, high = draw_spectrogram({"a": tone}, 16000), draw_spectrogram({"a": np.sin(32000 * np.pi * time / 4)[None]}, 0)
    assert low.size == high.size == (452, 112)
    assert draw_spectrogram({"a": tone}, 10**300, 1e300).size == (452, 112)


def test_samples_too_large_to_decode_for_a_card_have_no_picture(windows, monkeypatch):
    monkeypatch.setattr("walloc_data.report.view._MOST_VALUES", 2 * 2000 - 1)
    assert small_picture(windows) is None
    monkeypatch.setattr("walloc_data.report.view._MOST_VALUES", 2 * 2000)
    assert small_picture(windows) is not None


def test_a_card_of_sound_shows_it(windows):
    with Image.open(io.BytesIO(small_picture(windows))) as picture:
        assert picture.format == "JPEG"
    card = (windows / "README.md").read_text()
    assert "samples (sound, stereo, windows of 0.25 s) as small integer latents" in card
    assert "Decoded, a sample is float32 [2, samples] in [-1, 1]:" in card


def test_latents_cannot_be_drawn(windows):
    with pytest.raises(WallocError, match="decode='signal'"):
        contact_sheet(LatentDataset(windows))
