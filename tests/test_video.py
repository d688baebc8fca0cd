"""Video from files to training batches: cut, sharded, streamed, decoded."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.films import film, numbers, pictures, sound_alone, turned
from tests.http_server import FileServer
from tests.sources.archives import packed
from walloc_data import (
    Codec,
    CodecConfig,
    LatentDataset,
    Options,
    StreamingLatentDataset,
    VideoReader,
    load_codec,
    shard_dataset,
)
from walloc_data import fit as fit_codec
from walloc_data.cli import main
from walloc_data.codec import psnr
from walloc_data.signals import Window
from walloc_data.sources import open_source
from walloc_data.write.clips import cut

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
READER = VideoReader(frames=16, size=32)


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """Two classes of films of 20 to 30 frames, in several formats."""
    root = tmp_path_factory.mktemp("video") / "films"
    for number in range(6):
        suffix, format = (("mp4", "mp4"), ("mkv", "matroska"), ("mov", "mov"))[number % 3]
        path = root / f"class{number % 2}" / f"{number}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(film(pictures(20 + 2 * number), format=format))
    return root


@pytest.fixture(scope="module")
def codec(films) -> Codec:
    """Of 2 x 4 x 4 pixels, in 24 channels."""
    config = CodecConfig(name="films", kind="video", signal_channels=3, dims=3, levels=(1, 2, 2), wavelet="10/18")
    clips = [torch.from_numpy(READER.read(path, path.name).values)[None] for path in sorted(films.rglob("*.m*"))]
    return fit_codec(clips, config, channels=24)


@pytest.fixture(scope="module")
def dataset(films, codec, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dataset") / "out"
    shard_dataset(films, out, codec=codec, reader=READER, options=Options(block=4))
    return out


def test_clips_are_samples_of_one_shape(films, dataset, codec):
    found = LatentDataset(dataset)
    assert (len(found), found.classes) == (12, ["class0", "class1"])
    assert found.manifest.columns["latents"] == "int8[24,8,8,8]"
    assert found.manifest.columns["start"] == "float64"
    for number in range(len(found)):
        latents, label = found[number]
        fields = found.fields(number)
        key, _, start = fields["key"].partition("#")
        signal = READER.read(Window(films / key, float(start), 0), key)
        assert (label, fields["start"], fields["length"]) == (int(key[5]), float(start), signal.fields["length"])
        assert (fields["size"], fields["original_size"][1:]) == ([16, 32, 32], [48, 64])
        values = codec.decode(latents[None])[0]
        assert psnr(values, torch.from_numpy(signal.values) / 255) > 25
        assert numbers((255 * values).numpy())[: fields["length"]] == numbers(signal.values)[: fields["length"]]


def test_repeated_frames_do_not_count(films, codec, tmp_path):
    """A film of one frame, which fills up a clip: distortion is that of the one."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.mp4").write_bytes(film(pictures(1)))
    result = shard_dataset(tmp_path / "one", tmp_path / "out", codec=codec, reader=READER)
    latents, _ = LatentDataset(tmp_path / "out")[0]
    signal = torch.from_numpy(READER.read(tmp_path / "one" / "a.mp4", "a").values) / 255
    assert result.psnr == pytest.approx(psnr(codec.decode(latents[None])[0][:, :1], signal[:, :1]), abs=0.01)


@pytest.mark.parametrize("workers", [0, 2])
def test_clips_at_both_doors(dataset, workers):
    latents, labels = next(iter(DataLoader(LatentDataset(dataset), batch_size=8, num_workers=workers)))
    assert (latents.dtype, tuple(latents.shape), labels.dtype) == (torch.int8, (8, 24, 8, 8, 8), torch.int64)
    stream = StreamingLatentDataset(dataset, batch_size=4, columns=("start", "length", "key"))
    batches = list(stream.loader(num_workers=workers))
    assert len({key for *_, keys in batches for key in keys}) == 12
    assert {tuple(latents.shape[1:]) for latents, *_ in batches} == {(24, 8, 8, 8)}


def test_clips_over_http(dataset):
    with FileServer(dataset) as server:
        stream = StreamingLatentDataset(server.url, batch_size=4, columns=("key",))
        assert len({key for _, keys in stream for key in keys}) == 12


def test_the_same_bytes_for_any_number_of_workers_and_nothing_to_do_twice(films, dataset, codec, tmp_path):
    options = {"codec": codec, "reader": READER, "options": Options(block=4)}
    assert shard_dataset(films, dataset, **options).written == 0
    shard_dataset(films, tmp_path / "out", workers=2, **options)
    for path in dataset.glob("*.tar"):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_tars_and_tables_are_cut_alike(films, codec, tmp_path):
    tar, table = packed(tmp_path, "video", sorted(films.rglob("*.m*")), robot=list("ab" * 3))
    heaps = []
    for number, address in enumerate((films, tar, table)):
        out = tmp_path / f"out{number}"
        shard_dataset(str(address), out, codec=codec, reader=READER, options=Options(shuffle=False))
        found = LatentDataset(out)
        heaps.append({found.fields(i)["start"].hex() + str(found[i][0].sum().item()) for i in range(len(found))})
    assert heaps[0] == heaps[1] == heaps[2]
    assert "robot" in found.manifest.columns


def test_what_is_damaged_is_named_and_the_rest_goes_on(codec, tmp_path):
    root, frames = tmp_path / "films", pictures(20)
    root.mkdir()
    good = film(frames)
    front = film(frames, muxing={"movflags": "+faststart"})
    for name, data in (
        ("good.mp4", good),
        ("turned.mp4", turned(good, 90)),
        ("deep.mp4", film(frames, pixels="yuv420p10le")),
        ("short.mp4", film(frames[:3])),
        ("cut.mp4", good[: len(good) // 2]),
        ("front.mp4", front[: len(front) * 9 // 10]),
        ("sound.mp4", sound_alone()),
        ("text.mkv", b"text"),
        ("empty.webm", b""),
    ):
        (root / name).write_bytes(data)
    result = shard_dataset(root, tmp_path / "out", codec=codec, reader=READER)
    errors = [json.loads(line) for line in (tmp_path / "out" / "errors.jsonl").read_text().splitlines()]
    reasons = {error["key"]: error["reason"] for error in errors}
    assert reasons.keys() == {"cut.mp4#0", "front.mp4#1.6", "sound.mp4#0", "text.mkv#0", "empty.webm#0"}
    assert "it holds no video, but audio" in reasons["sound.mp4#0"]
    assert (result.samples, result.skipped) == (8, 5)
    found = LatentDataset(tmp_path / "out")
    lengths = {found.fields(i)["key"]: found.fields(i)["length"] for i in range(len(found))}
    assert (lengths["short.mp4#0"], lengths["good.mp4#1.6"], lengths["front.mp4#0"]) == (3, 4, 16)


def test_a_long_film_is_read_a_clip_at_a_time(tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (96, 128, 3), np.uint8) for _ in range(300)]
    (tmp_path / "films").mkdir()
    path = tmp_path / "films" / "long.mp4"
    path.write_bytes(film(noise))
    clips = cut(open_source(path.parent, suffixes=READER.suffixes), READER)
    assert clips.notes[-1] == "1 recordings are 19 clips of 16 frames"
    split = clips.splits["train"]
    assert (len(split), split.key(3)) == (19, "long.mp4#4.8")
    tracemalloc.start()
    for index in (18, 3, 7):
        raw = split[index]
        assert READER.read(raw.data, raw.name).values.shape == (3, 16, 32, 32)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000 < path.stat().st_size


def test_the_commands(films, tmp_path, capsys):
    mine, out = tmp_path / "mine.safetensors", tmp_path / "out"
    options = ["--quiet", "--read", "frames=8,size=16,rate=5"]
    fit = ["fit", str(films), str(mine), "--kind", "video", "--levels", "1,2,2", "--channels", "12", "--limit", "6"]
    assert main([*fit, *options]) == 0
    config = load_codec(mine).config
    assert (config.kind, config.dims, config.levels, config.signal_channels) == ("video", 3, (1, 2, 2), 3)
    assert main(["shard", str(films), str(out), "--codec", str(mine), *options]) == 0
    assert "6 recordings are 12 clips of 8 frames" in capsys.readouterr().err
    assert main(["info", str(out)]) == 0
    assert "video   5 frames a second, clips of 2 to 8 frames" in capsys.readouterr().out
    assert main(["check", str(out)]) == 0
    assert main(["shard", str(films), str(out), "--codec", str(mine), "--read", "segment=2"]) == 1
    assert "video is read without 'segment'" in capsys.readouterr().err
