"""Sound from files to training batches: fitted, cut, sharded, streamed, decoded."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.http_server import FileServer
from tests.sounds import file_of, sound, write
from tests.sources.archives import packed
from walloc_data import AudioReader, Codec, CodecConfig, LatentDataset, Options, StreamingLatentDataset, load_codec
from walloc_data import fit as fit_codec
from walloc_data.cli import main
from walloc_data.codec import psnr
from walloc_data.errors import DatasetError, SampleError
from walloc_data.format import Manifest
from walloc_data.report.info import describe_dataset
from walloc_data.shard import shard_dataset
from walloc_data.signals import Window
from walloc_data.sources import open_source
from walloc_data.write.clips import Clips, cut

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
RATE = 8000


def fitted(channels: int = 1, levels: int = 4) -> Codec:
    config = CodecConfig(name="chirps", kind="audio", signal_channels=channels, dims=1, levels=levels, wavelet="10/18")
    signals = [torch.from_numpy(sound(1, RATE, channels, seed))[None] for seed in range(4)]
    return fit_codec(signals, config, channels=channels * 2**levels // 2)


@pytest.fixture(scope="module")
def mono() -> Codec:
    return fitted()


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    """Two classes of recordings of 0.7 to 1.3 seconds, in several formats."""
    root = tmp_path_factory.mktemp("sound") / "recordings"
    for number in range(12):
        suffix = ("wav", "flac", "ogg", "aif")[number % 4]
        write(root / f"class{number % 2}" / f"{number:02d}.{suffix}", sound(0.7 + 0.05 * number, RATE, seed=number))
    return root


@pytest.fixture(scope="module")
def windows(recordings, mono, tmp_path_factory) -> Path:
    """Windows of a quarter of a second."""
    out = tmp_path_factory.mktemp("windows") / "out"
    reader = AudioReader(channels=1, segment=0.25)
    shard_dataset(recordings, out, codec=mono, reader=reader, options=Options(block=8))
    return out


def original(root: Path, fields: dict) -> torch.Tensor:
    """What a sample was made of, float32 `[1, samples]`."""
    key, _, _ = fields["key"].partition("#")
    values = AudioReader(channels=1).read((root / key).read_bytes(), key).values
    first = round(fields.get("start", 0) * fields["rate"])
    part = torch.from_numpy(values[:, first : first + fields["length"]].copy())
    return part / 32768 if part.dtype == torch.int16 else part


def test_whole_recordings_of_differing_length(recordings, mono, tmp_path):
    result = shard_dataset(recordings, tmp_path / "out", codec=mono, options=Options(block=4))
    dataset = LatentDataset(tmp_path / "out", decode="signal")
    assert (len(dataset), result.skipped, dataset.classes) == (12, 0, ["class0", "class1"])
    qualities = []
    for number in range(12):
        x, label = dataset[number]
        fields = dataset.fields(number)
        assert (x.dtype, tuple(x.shape), label) == (torch.float32, (1, fields["length"]), int(fields["key"][:6][-1]))
        assert fields["size"] == fields["original_size"] == [fields["length"]]
        assert (fields["rate"], fields["clipped"], "start" in fields) == (RATE, 0, False)
        qualities.append(psnr(x, original(recordings, fields), "audio"))
        assert float(x.abs().max()) <= 1
    assert min(qualities) > 35
    assert result.psnr == pytest.approx(sum(qualities) / 12, abs=0.1)


def test_windows_are_samples_of_one_shape(recordings, windows, mono):
    dataset = LatentDataset(windows, decode="signal", columns=("label", "start", "length"))
    assert dataset.manifest.columns["latents"] == f"int8[{mono.channels},125]"
    found = {}
    for number in range(len(dataset)):
        x, label, start, length = dataset[number]
        fields = dataset.fields(number)
        key, _, seconds = fields["key"].partition("#")
        assert (float(seconds), int(key[5])) == (float(start), label)
        assert tuple(x.shape) == (1, int(length))
        assert psnr(x, original(recordings, fields), "audio") > 33
        found.setdefault(key, {})[float(start)] = int(length)
    assert len(found) == 12
    for number in range(12):
        [lengths] = [each for key, each in found.items() if f"/{number:02d}." in key]
        samples = round((0.7 + 0.05 * number) * RATE)
        assert sorted(lengths) == [0.25 * i for i in range(-(-samples // 2000))]
        assert sum(lengths.values()) == samples


@pytest.mark.parametrize("workers", [0, 2])
def test_windows_at_both_doors(windows, workers):
    latents, labels = next(iter(DataLoader(LatentDataset(windows), batch_size=16, num_workers=workers)))
    assert (latents.dtype, latents.shape[0], labels.dtype) == (torch.int8, 16, torch.int64)
    stream = StreamingLatentDataset(windows, batch_size=8, decode="signal", columns=("length", "start", "key"))
    seen = []
    for x, length, start, key in stream.loader(num_workers=workers):
        assert [tuple(one.shape) for one in x] == [(1, n) for n in length.tolist()]
        assert isinstance(x, list)
        assert start.dtype == torch.float64
        seen += key
    assert len(set(seen)) == len(LatentDataset(windows))
    buckets = StreamingLatentDataset(windows, batch_size=8, decode="signal", columns=("length",), buckets=True)
    for batch in buckets:
        for x, length in batch:
            assert (x.shape[2], length.tolist()) == (int(length[0]), [int(length[0])] * len(x))


def test_windows_over_http(windows):
    with FileServer(windows) as server:
        stream = StreamingLatentDataset(server.url, batch_size=16, columns=("key",))
        assert len({key for _, keys in stream for key in keys}) == len(LatentDataset(windows))


def test_the_same_bytes_for_any_number_of_workers_and_nothing_to_do_twice(recordings, windows, mono, tmp_path):
    options = {"codec": mono, "reader": AudioReader(channels=1, segment=0.25), "options": Options(block=8)}
    again = shard_dataset(recordings, windows, **options)
    assert again.written == 0
    shard_dataset(recordings, tmp_path / "out", workers=2, **options)
    for path in windows.glob("*.tar"):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(DatasetError, match=r"segment was 0.25 and is now 0.5"):
        shard_dataset(recordings, windows, codec=mono, reader=AudioReader(channels=1, segment=0.5))
    assert Manifest.read(windows).summary.source_bytes <= sum(path.stat().st_size for path in recordings.rglob("*.*"))


def test_tars_and_tables_are_cut_alike(recordings, mono, tmp_path):
    tar, table = packed(tmp_path, "audio", sorted(recordings.rglob("*.*")), speaker=list("ab" * 6))
    reader = AudioReader(channels=1, segment=0.25)
    found = []
    for number, address in enumerate((recordings, tar, table)):
        out = tmp_path / f"out{number}"
        shard_dataset(str(address), out, codec=mono, reader=reader, options=Options(shuffle=False))
        found.append(LatentDataset(out))
    assert len(found[0]) == len(found[1]) == len(found[2])
    assert [*found[2].manifest.columns][:2] == ["speaker", "rate"]
    heaps = [{one.fields(i)["start"].hex() + str(one[i][0].sum().item()) for i in range(len(one))} for one in found]
    assert heaps[0] == heaps[1] == heaps[2]


def test_what_is_damaged_is_named_and_the_rest_goes_on(mono, tmp_path):
    root, good = tmp_path / "recordings", sound(0.6, RATE)
    for name in ("a", "b"):
        write(root / f"{name}.wav", good)
    write(root / "silent.wav", np.zeros_like(good))
    write(root / "short.wav", good[:, :1])
    flac = file_of(good, RATE, "FLAC")
    (root / "cut.flac").write_bytes(flac[: len(flac) // 2])
    wav = file_of(good, RATE)
    (root / "cut.wav").write_bytes(wav[:2000])
    (root / "text.mp3").write_text("text")
    write(root / "seven.wav", sound(0.6, RATE, 7))
    write(root / "loud.wav", good * 4000, subtype="FLOAT")
    for segment, samples in ((None, 4), (0.25, 10)):
        out = tmp_path / f"out{segment}"
        result = shard_dataset(root, out, codec=mono, reader=AudioReader(channels=1, segment=segment))
        assert result.samples == samples
        errors = [json.loads(line) for line in (out / "errors.jsonl").read_text().splitlines()]
        reasons = {error["key"].partition("#")[0]: error["reason"] for error in errors}
        assert reasons.keys() == {"cut.flac", "cut.wav", "text.mp3", "seven.wav", "loud.wav"}
        assert "cut short: its header says" in reasons["cut.wav"]
        assert "7 channels, and the codec takes 1" in reasons["seven.wav"]
        dataset = LatentDataset(out, decode="signal")
        sizes = {dataset.fields(i)["key"]: dataset[i][0].shape[1] for i in range(len(dataset))}
        assert sizes["short.wav" if segment is None else "short.wav#0"] == 1
    with pytest.raises(SampleError, match="pass it over with --on-error skip"):
        shard_dataset(root, tmp_path / "stop", codec=mono, on_error="stop")


def test_a_long_recording_is_read_a_window_at_a_time(mono, tmp_path):
    path = write(tmp_path / "recordings" / "long.wav", np.tile(sound(10, 48000), 30), 48000)
    reader = AudioReader(channels=1, segment=2, rate=16000)
    clips = cut(open_source(path.parent, suffixes=reader.suffixes), reader).splits["train"]
    assert (len(clips), clips.key(149)) == (150, "long.wav#298")
    tracemalloc.start()
    for index in (149, 3, 77):
        raw = clips[index]
        assert isinstance(raw.data, Window)
        assert reader.read(raw.data, raw.name).values.shape == (1, 32000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000 < path.stat().st_size
    assert sum(clips[index].data.nbytes for index in range(150)) == pytest.approx(path.stat().st_size, abs=150)


def test_what_info_says_of_sound(windows, recordings):
    seconds = sum(0.7 + 0.05 * number for number in range(12))
    [line] = [line for line in describe_dataset(windows).splitlines() if line.startswith("sound")]
    assert line.startswith("sound   8,000 Hz, samples of 0.05 to 0.25 s, 0.2 minutes in all: ")
    rate = float(line.split(": ")[1].split(" kbit/s")[0])
    total = sum(path.stat().st_size for path in windows.iterdir())
    assert rate == pytest.approx(8 * total / seconds / 1000, rel=0.01)
    assert f"{128 / rate:.1f} times less than 16-bit PCM" in line


def test_cutting_is_for_those_who_ask(recordings):
    whole, cutting = AudioReader(channels=1), AudioReader(channels=1, segment=0.25)
    source = open_source(recordings, suffixes=whole.suffixes)
    assert cut(source, whole) is source
    once = cut(source, cutting)
    assert isinstance(once.splits["train"], Clips)
    assert cut(once, cutting) is once
    assert once.notes[-1].startswith("12 recordings are ")


def test_the_commands(recordings, tmp_path, capsys):
    codec, out = tmp_path / "mine.safetensors", tmp_path / "out"
    fit = ["fit", str(recordings), str(codec), "--kind", "mono", "--levels", "4", "--channels", "8", "--quiet"]
    assert main([*fit, "--read", "segment=0.5"]) == 0
    assert load_codec(codec).config == CodecConfig(
        name="mine", kind="audio", signal_channels=1, dims=1, levels=4, wavelet="10/18"
    )
    shard = ["shard", str(recordings), str(out), "--codec", str(codec), "--read", "segment=0.5,rate=4000", "--quiet"]
    assert main(shard) == 0
    assert "12 recordings are" in capsys.readouterr().err
    assert main(["info", str(out)]) == 0
    said = capsys.readouterr().out
    assert "8 channels" not in said
    assert "1 channels to 8" in said
    assert main(["check", str(out)]) == 0


def test_a_fit_passes_over_what_cannot_be_read(tmp_path, capsys):
    root = tmp_path / "recordings"
    write(root / "a.wav", sound(1, RATE))
    write(root / "b.wav", sound(1, RATE, 2))
    fit = ["fit", str(root), str(tmp_path / "a.safetensors"), "--kind", "mono", "--levels", "3", "--channels", "4"]
    assert main([*fit, "--quiet"]) == 0
    assert "note: 1 of 2 samples were passed over, such as" in capsys.readouterr().err
    (root / "a.wav").unlink()
    assert main([*fit, "--quiet"]) == 1
    assert "none of 1 samples can be read, such as" in capsys.readouterr().err


def test_sixteen_bits_and_floats_of_one_length_go_together(mono, tmp_path):
    root = tmp_path / "recordings"
    for number in range(6):
        write(root / f"{number}.wav", sound(0.5, RATE, seed=number), subtype=("PCM_16", "FLOAT")[number % 2])
    assert shard_dataset(root, tmp_path / "out", codec=mono).samples == 6


def test_what_psnr_is_of_sound():
    x = torch.zeros(1, 100)
    assert psnr(x + 0.02, x, "audio") == pytest.approx(40)
    assert psnr(x, x, "audio") == 100
