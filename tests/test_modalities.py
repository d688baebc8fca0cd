"""What holds of every kind of signal, from its files to a training batch, a web server and the Hub: a row each."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from tests.array_files import npy
from tests.films import film
from tests.http_server import FileServer
from tests.photographs import window
from tests.sounds import file_of, sound
from tests.sources.archives import write_table, write_tar
from walloc_data import (
    ArrayReader,
    AudioReader,
    Codec,
    CodecConfig,
    ImageReader,
    LatentDataset,
    Options,
    StreamingLatentDataset,
    VideoReader,
    fit,
    shard_dataset,
)
from walloc_data.cli import main
from walloc_data.hub.push import push_dataset
from walloc_data.transforms import RandomCrop, flip

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # as the Hub's client has it
COUNT = 6  # files, of two classes


def photograph(number: int) -> bytes:
    file = io.BytesIO()
    window("chelsea", number, (40 + 8 * number, 64)).save(file, "PNG")
    return file.getvalue()


def recording(number: int) -> bytes:
    return file_of(sound(0.6 + 0.05 * number, 8000, 2, number), 8000, "FLAC")


def clip(number: int) -> bytes:
    time, rows, columns = np.meshgrid(np.arange(10 + number), np.arange(48), np.arange(64), indexing="ij")
    frames = np.stack([128 + 80 * np.sin((time + k * rows + columns + number) / 9) for k in range(3)], -1)
    return film(list(frames.astype(np.uint8)))


def waves(number: int, channels: int, *space: int) -> np.ndarray:
    """Smooth numbers in -1 to 1, float32 `[channels, *space]`."""
    places = np.stack(np.meshgrid(*map(np.arange, space), indexing="ij"))
    turns = np.random.default_rng(number).uniform(0.05, 0.4, (channels, len(space)))
    return np.sin(np.tensordot(turns, places, 1) + number).astype(np.float32)


def cube(number: int) -> bytes:
    """Ten bands of reflectance, 12 bits in uint16."""
    return npy((2000 + 1900 * waves(number, 10, 24, 20 + 4 * (number % 3))).astype(np.uint16))


def volume(number: int) -> bytes:
    """Densities below 0, as CT has them."""
    return npy((-1000 + 500 * waves(number, 1, 8, 16, 16)[0]).astype(np.int16))


def electrodes(number: int) -> bytes:
    return npy(80e-6 * waves(number, 5, 300 + 40 * number))


@dataclass(frozen=True)
class Modality:
    """Files of a kind of signal, how they are read and kept, and what is said of them."""

    column: str  # of a table
    suffix: str
    data: Callable[[int], bytes]
    reader: Callable[[], Any]
    codec: dict[str, Any]
    decoded: tuple[torch.dtype, torch.dtype, float, float]  # dtypes of "signal" and "native", and the range
    axis: int  # that a flip reverses
    told: str  # by the card
    units: str  # by the card
    info: str
    quality: float = 24.0  # dB, at least


UNIT, FULL = (torch.float32, torch.uint8, 0.0, 1.0), (torch.float32, torch.int16, -1.0, 1.0)
MODALITIES = {
    "images of one size": Modality(
        column="image",
        suffix=".png",
        data=photograph,
        reader=lambda: ImageReader(size=32),
        codec={"kind": "image", "signal_channels": 3, "dims": 2, "levels": 2, "channels": 24},
        decoded=UNIT,
        axis=-1,
        told="images, RGB",
        units="float32 [3, height, width] in [0, 1]",
        info="images ",
    ),
    "images of their own sizes": Modality(
        column="image",
        suffix=".png",
        data=photograph,
        reader=lambda: ImageReader(resize="none", crop="none"),
        codec={"kind": "image", "signal_channels": 3, "dims": 2, "levels": 2, "channels": 24},
        decoded=UNIT,
        axis=0,
        told="images, RGB",
        units="float32 [3, height, width] in [0, 1]",
        info="images ",
    ),
    "windows of sound": Modality(
        column="audio",
        suffix=".flac",
        data=recording,
        reader=lambda: AudioReader(channels=2, rate=8000, segment=0.25),
        codec={"kind": "audio", "signal_channels": 2, "dims": 1, "levels": 4, "channels": 16},
        decoded=FULL,
        axis=0,
        told="sound, stereo, 8,000 Hz, windows of 0.25 s",
        units="float32 [2, samples] in [-1, 1]",
        info="sound   8,000 Hz, samples of ",
    ),
    "whole recordings": Modality(
        column="audio",
        suffix=".flac",
        data=recording,
        reader=lambda: AudioReader(channels=1, mix="mean"),
        codec={"kind": "audio", "signal_channels": 1, "dims": 1, "levels": 4, "channels": 8},
        decoded=FULL,
        axis=0,
        told="sound, mono",
        units="float32 [1, samples] in [-1, 1]",
        info="sound   8,000 Hz, samples of 0.6 to 0.85 s",
    ),
    "clips of video": Modality(
        column="video",
        suffix=".mp4",
        data=clip,
        reader=lambda: VideoReader(frames=8, size=32),
        codec={"kind": "video", "signal_channels": 3, "dims": 3, "levels": (1, 2, 2), "channels": 48},
        decoded=UNIT,
        axis=0,
        told="video, RGB, clips of 8 frames",
        units="float32 [3, frames, height, width] in [0, 1]",
        info="video   10 frames a second, clips of 2 to 8 frames",
    ),
    "cubes of bands": Modality(
        column="array",
        suffix=".npy",
        data=cube,
        reader=lambda: ArrayReader(channels=10, dims=2, dtype="uint16"),
        codec={"kind": "array", "signal_channels": 10, "dims": 2, "levels": 1, "channels": 16},
        decoded=(torch.float32, torch.uint16, 0, 65535),
        axis=-1,
        told="arrays of uint16, 10 channels",
        units="float32 [10, height, width] in the units of the data",
        info="arrays  10 channels, ",
    ),
    "tiles of volumes": Modality(
        column="array",
        suffix=".npy",
        data=volume,
        reader=lambda: ArrayReader(channels=1, dims=3, dtype="int16", bands="none", tile="8x12x16"),
        codec={"kind": "array", "signal_channels": 1, "dims": 3, "levels": 1, "channels": 6},
        decoded=(torch.float32, torch.int16, -32768, 32767),
        axis=0,
        told="arrays of int16, 1 channel, tiles of 8x12x16 values",
        units="float32 [1, depth, height, width] in the units of the data",
        info="arrays  1 channel, ",
    ),
    "electrodes": Modality(
        column="array",
        suffix=".npy",
        data=electrodes,
        reader=lambda: ArrayReader(channels=5, dims=1, dtype="float32"),
        codec={"kind": "array", "signal_channels": 5, "dims": 1, "levels": 3, "channels": 12},
        decoded=(torch.float32, torch.float32, -1e-4, 1e-4),
        axis=0,
        told="arrays of float32, 5 channels",
        units="float32 [5, positions] in the units of the data",
        info="arrays  5 channels, ",
    ),
}


@dataclass(frozen=True)
class Made:
    """Files below `root`, and the dataset `out` of them."""

    kind: Modality
    root: Path
    codec: Codec
    out: Path

    def shard(self, source: Any, out: Path, coder: str = "zstd") -> Path:
        options = Options(block=4, coder=coder)
        shard_dataset(source, out, codec=self.codec, reader=self.kind.reader(), options=options)
        return out

    def files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def as_parquet(self, path: Path) -> Path:
        files = self.files()
        labels = ["ab".index(file.parent.name) for file in files]
        keys = [file.relative_to(self.root).as_posix() for file in files]
        return write_table(path, self.kind.column, files, label=labels, key=keys)

    def as_tar(self, path: Path) -> Path:
        return write_tar(path, [(f"{file.parent.name}/{file.name}", file.read_bytes()) for file in self.files()])


@pytest.fixture(scope="module", params=MODALITIES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    kind, root = MODALITIES[request.param], tmp_path_factory.mktemp("modality")
    for number in range(COUNT):
        path = root / "files" / "ab"[number % 2] / f"{number}{kind.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kind.data(number))
    config = {"name": "small", "wavelet": "10/18", **kind.codec}
    channels = config.pop("channels")
    reader = kind.reader()
    signals = [reader.read(path.read_bytes(), path.name).values for path in sorted((root / "files").rglob("*.*"))]
    codec = fit([torch.from_numpy(values)[None] for values in signals], CodecConfig(**config), channels=channels)
    one = Made(kind, root / "files", codec, root / "out")
    one.shard(one.root, one.out, "rans")
    return one


def by_key(batches: Any) -> dict[str, tuple[torch.Tensor, int]]:
    """x and label of each sample of batches `(x, labels, keys)`."""
    found = {}
    for xs, labels, keys in batches:
        assert len(xs) == len(labels) == len(keys)
        found |= {key: (x, int(label)) for x, label, key in zip(xs, labels, keys, strict=True)}
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Latents are to the last integer; what is decoded but for rounding, which depends on what is decoded together."""
    return one.keys() == other.keys() and all(
        label == other[key][1]
        and x.shape == other[key][0].shape
        and (x.double() - other[key][0].double()).abs().max()
        <= {torch.int8: 0, torch.float32: 1e-4 * float(x.double().std())}.get(x.dtype, 1)
        for key, (x, label) in one.items()
    )


def near(one: torch.Tensor, other: torch.Tensor) -> None:
    """Equal but for rounding, which depends on threads and on what is decoded together."""
    torch.testing.assert_close(one, other, atol=1e-4 * float(other.std()), rtol=1e-5)


def streamed(root: Any, **options: Any) -> dict[str, tuple[torch.Tensor, int]]:
    return by_key(StreamingLatentDataset(root, batch_size=4, columns=("label", "key"), **options))


def test_a_table_and_a_tar_give_what_the_folder_gives(made, tmp_path):
    folder = streamed(made.out)
    assert len({key.partition("#")[0] for key in folder}) == COUNT
    assert {key: label for key, (_, label) in folder.items()} == {key: "ab".index(key[0]) for key in folder}
    assert same(folder, streamed(made.shard(made.as_parquet(tmp_path / "train.parquet"), tmp_path / "table")))
    tars = streamed(made.shard(made.as_tar(tmp_path / "train.tar"), tmp_path / "tar"))
    assert sorted(x.numpy().tobytes() for x, _ in tars.values()) == sorted(
        x.numpy().tobytes() for x, _ in folder.values()
    )


def test_both_doors_give_the_same(made):
    for decode in ("latents", "float", "signal", "native"):
        samples = LatentDataset(made.out, decode=decode, columns=("label", "key"))
        loader = DataLoader(samples, batch_size=4, collate_fn=LatentDataset.collate)
        assert same(by_key(loader), streamed(made.out, decode=decode))
    buckets = StreamingLatentDataset(made.out, batch_size=4, columns=("label", "key"), decode="signal", buckets=True)
    several = [batch for step in buckets for batch in step]
    assert all(isinstance(x, torch.Tensor) for x, _, _ in several)
    assert same(by_key(several), streamed(made.out, decode="signal"))


def test_what_is_decoded_has_the_range_the_length_and_the_dtype(made):
    signal, native, least, most = made.kind.decoded
    floats, whole = (LatentDataset(made.out, decode=decode) for decode in ("signal", "native"))
    stored, few = LatentDataset(made.out), LatentDataset(made.out, decode="signal", channels=3)
    for number in range(len(stored)):
        fields, (z, _) = stored.fields(number), stored[number]
        x, files = floats[number][0], whole[number][0]
        size = [fields.get("length", fields["size"][0]), *fields["size"][1:]]
        assert (x.dtype, files.dtype, list(x.shape[1:])) == (signal, native, size)
        assert x.shape == files.shape
        near(x, made.codec.decode(z[None], fields["size"])[0][:, : size[0]])
        assert least <= float(x.min()) < float(x.max()) <= most
        near(few[number][0], few.codec.decode(z[None, :3], fields["size"])[0][:, : size[0]])
        scale = {"image": 255, "video": 255, "audio": 32768}.get(made.codec.config.kind, 1)
        assert (files.double() / scale - x).abs().max() <= (0 if native.is_floating_point else 1 / scale)


def test_flips_and_crops_of_latents_are_those_of_signals(made):
    z = LatentDataset(made.out)[0][0][None]
    axis = made.kind.axis
    dims = made.codec.config.dims
    reversed_signal = made.codec.decode(flip(z, made.codec, axis))
    expected = made.codec.decode(z).flip(axis % dims + 2)
    near(reversed_signal, expected)
    size = tuple(max(1, n // 2) for n in z.shape[2:])
    stream = StreamingLatentDataset(made.out, batch_size=4, transform=RandomCrop(made.codec, size))
    assert {tuple(x.shape[1:]) for x, _ in stream} == {(made.codec.channels, *size)}


def test_over_http(made, tmp_path, monkeypatch):
    monkeypatch.setenv("WALLOC_CACHE", str(tmp_path))
    with FileServer(made.out) as server:
        for decode in ("latents", "signal"):
            assert same(streamed(server.url, decode=decode), streamed(made.out, decode=decode))
        remote, local = (LatentDataset(root, decode="signal") for root in (server.url, made.out))
        assert torch.equal(remote[1][0], local[1][0])
        assert remote.fields(1) == local.fields(1)


def test_pushed_with_a_card_that_says_what_it_is(made, hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token("ann"))
    monkeypatch.setenv("WALLOC_CACHE", str(tmp_path))
    push_dataset(made.out, "ann/signals")
    files = hub.dataset("ann/signals").files()
    for card in (files["README.md"].data.decode(), (made.out / "README.md").read_text()):
        assert f"samples ({made.kind.told}) as small integer latents" in card
        assert f"Decoded, a sample is {made.kind.units}:" in card
    with Image.open(io.BytesIO(files["samples.jpg"].data)) as picture:
        assert (picture.format, min(picture.size) > 40) == ("JPEG", True)
    assert same(streamed("hf://ann/signals"), streamed(made.out))


def test_the_lines_of_the_card_run(made):
    card = (made.out / "README.md").read_text().replace("path/to/this/folder", str(made.out))
    found: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", card, re.DOTALL):
        exec(block.replace("num_workers=4", "num_workers=0"), found)
    assert found["signal"].shape[0] == made.kind.codec["signal_channels"]
    assert all(z.dtype == torch.float32 for z in found["x"])


def test_info_and_view(made, tmp_path, capsys):
    assert main(["info", str(made.out)]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith(made.kind.info)]
    assert " times less than " in line
    assert main(["check", str(made.out)]) == 0
    capsys.readouterr()
    for number, source in enumerate((made.root, made.as_parquet(tmp_path / "train.parquet"))):
        view = ["view", str(made.out), str(tmp_path / f"{number}.png"), "--originals", str(source), "--count", "3"]
        assert main(view) == 0
        told = capsys.readouterr().out
        qualities = [float(line.split()[-2]) for line in told.splitlines() if line.endswith(" dB")]
        assert len(qualities) == 4
        assert min(qualities) > made.kind.quality
        with Image.open(tmp_path / f"{number}.png") as picture:
            assert min(picture.size) > 40
