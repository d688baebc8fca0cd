"""Arrays from files to training batches: a codec fitted to a sensor by one command, sharded, streamed, decoded."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.array_files import cube, npy, npz, tiff
from tests.http_server import FileServer
from tests.sources.archives import packed
from walloc_data import ArrayReader, LatentDataset, Options, StreamingLatentDataset, fit, load_codec, shard_dataset
from walloc_data.cli import main
from walloc_data.codec import psnr
from walloc_data.signals import unpack_mask
from walloc_data.sources import open_source
from walloc_data.write.clips import cut

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
SCALES, OFFSETS = np.array([1, 10, 100, 1, 0.01]), np.array([0, 500, 20000, -300, 5])


def scene(seed: int = 0, size: tuple[int, ...] = (48, 72)) -> np.ndarray:
    """Five bands in units of their own, float32 `[5, *size]`."""
    x = cube(5, size, np.float32, seed)
    of_bands = (-1, *[1] * len(size))
    return (x * SCALES.reshape(of_bands) + OFFSETS.reshape(of_bands)).astype(np.float32)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("scenes") / "scenes"
    for number in range(8):
        folder = root / f"class{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        data = (npy, lambda x: npz(cube=x), lambda x: tiff(x, planarconfig="separate", compression="zlib"))[number % 3]
        (folder / f"{number}.{('npy', 'npz', 'tif')[number % 3]}").write_bytes(data(scene(number)))
    return root


@pytest.fixture(scope="module")
def fitted(scenes, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("codec") / "sensor.safetensors"
    options = ["--levels", "2", "--channels", "12", "--quiet"]
    assert main(["fit", str(scenes), str(out), "--kind", "array", "--read", "tile=24", *options]) == 0
    return out


def test_one_command_fits_a_codec_to_a_sensor(fitted, scenes, tmp_path, capsys):
    config = load_codec(fitted).config
    assert (config.kind, config.dims, config.signal_channels, config.dtype) == ("array", 2, 5, "float32")
    values = np.concatenate([scene(number).reshape(5, -1) for number in range(8)], 1)
    assert np.allclose(config.scales, values.std(1), rtol=0.05)
    out = tmp_path / "out"
    line = ["shard", str(scenes), str(out), "--codec", str(fitted), "--read", "tile=24", "--workers", "1"]
    assert main(line) == 0
    assert "8 recordings are 48 tiles of 24 values" in capsys.readouterr().err
    dataset = LatentDataset(out, decode="signal", columns=("label", "origin"))
    for x, label, origin in (dataset[number] for number in range(0, 48, 7)):
        assert x.shape == (5, 24, 24)
        assert label in (0, 1)
        assert set(origin.tolist()) <= {0, 24, 48}
    for number in range(0, 48, 5):
        fields, (x, *_) = dataset.fields(number), dataset[number]
        assert fields["key"].startswith("class")
        y0, x0 = fields["origin"]
        seed = int(Path(fields["key"].partition("#")[0]).stem)
        original = torch.from_numpy(scene(seed)[:, y0 : y0 + 24, x0 : x0 + 24])
        assert psnr(x, original, "array", peaks=config.peaks) > 27


def test_every_source_and_both_doors(scenes, fitted, tmp_path):
    paths = sorted(scenes.rglob("*.*"))
    tar, table = packed(tmp_path, "array", paths, site=list("ab" * 4))
    lines = [json.dumps({"path": str(path), "site": "a"}) for path in paths]
    listed = tmp_path / "list.jsonl"
    listed.write_text("\n".join(lines) + "\n")
    held = [{"array": scene(int(path.stem)), "site": "a"} for path in paths]
    codec, found = load_codec(fitted), []
    for number, source in enumerate((scenes, tar, table, listed, held)):
        out = tmp_path / str(number)
        result = shard_dataset(source, out, codec=codec, options=Options(shuffle=False))
        assert (result.samples, result.skipped) == (8, 0)
        found.append(sorted(x.numpy().tobytes() for x, *_ in DataLoader(LatentDataset(out), batch_size=1)))
    assert all(each == found[0] for each in found)
    with FileServer(tmp_path / "2") as server:
        stream = StreamingLatentDataset(server.url, batch_size=4, columns=("site",), decode="signal")
        shapes = [(tuple(x.shape), len(sites)) for x, sites in stream]
    assert shapes == [((4, 5, 48, 72), 4)] * 2


@pytest.mark.parametrize("size", [(200,), (8, 16, 24)])
def test_signals_of_one_and_three_dimensions(size, tmp_path):
    samples = [scene(number, size) for number in range(6)]
    for number, sample in enumerate(samples):
        (tmp_path / "in" / f"{number}.npy").parent.mkdir(exist_ok=True)
        (tmp_path / "in" / f"{number}.npy").write_bytes(npy(sample))
    codec, out = tmp_path / "a.safetensors", tmp_path / "out"
    assert main(["fit", str(tmp_path / "in"), str(codec), "--kind", "array", "--quiet"]) == 0
    shard_dataset(tmp_path / "in", out, codec=codec, options=Options(shuffle=False))
    config = load_codec(codec).config
    for (x, *_), sample in zip(LatentDataset(out, decode="signal"), samples, strict=True):
        assert psnr(x, torch.from_numpy(sample), "array", peaks=config.peaks) > 25


def test_what_is_missing_arrives_as_a_column(tmp_path):
    samples = [scene(number) for number in range(4)]
    for number, sample in enumerate(samples):
        sample[:, number : number + 9, 5:20] = np.nan
    codec = fit([ArrayReader(channels=5, nodata="mask").read(x, "a").values for x in samples], **FITTED)
    reader = ArrayReader(channels=5, nodata="mask")
    shard_dataset(samples, tmp_path / "out", codec=codec, reader=reader, options=Options(shuffle=False))
    columns = ("masked", "mask", "size")
    for number, (x, masked, mask, size) in enumerate(LatentDataset(tmp_path / "out", decode="signal", columns=columns)):
        missing = torch.from_numpy(unpack_mask(mask, size))
        assert torch.equal(missing, torch.from_numpy(np.isnan(samples[number]).any(0)))
        assert int(masked) == 9 * 15
        original = torch.from_numpy(samples[number])[:, ~missing]
        assert psnr(x[:, ~missing], original, "array", peaks=codec.config.peaks) > 25


FITTED = {"kind": "array", "channels": 12, "levels": 2}


def test_what_is_bad_is_named_and_counted(tmp_path, capsys):
    root = tmp_path / "in"
    root.mkdir()
    good = scene()
    bad = {
        "bands.npy": npy(good[:4]),
        "cut.npy": npy(good)[:-9],
        "empty.npy": b"",
        "infinite.npy": npy(np.where(good > good.max() - 1, np.inf, good)),
        "missing.npy": npy(np.where(good > good.max() - 1, np.nan, good)),
        "nothing.npy": npy(good[:0]),
        "objects.npy": npy(np.array([None]), allow_pickle=True),
        "text.tif": b"text",
        "two.npz": npz(a=good, b=good),
    }
    for name, data in {**bad, "a.npy": npy(good), "b.npy": npy(scene(1))}.items():
        (root / name).write_bytes(data)
    out = tmp_path / "a.safetensors"
    assert main(["fit", str(root), str(out), "--kind", "array", "--quiet"]) == 0
    assert f"note: {len(bad)} of {len(bad) + 2} samples were passed over" in capsys.readouterr().err
    for reader in (None, ArrayReader(channels=5, tile=24)):
        folder = tmp_path / str(reader)[:4]
        result = shard_dataset(root, folder, codec=out, reader=reader)
        errors = [json.loads(line) for line in (folder / "errors.jsonl").read_text().splitlines()]
        assert {error["key"].partition("#")[0] for error in errors} >= bad.keys() - {"missing.npy", "infinite.npy"}
        assert result.samples + result.skipped >= len(bad) + 2
        assert all("Error" not in error["reason"] for error in errors)
    reasons = {error["key"]: error["reason"] for error in errors}
    assert "4 bands of shape [4, 48, 72], and the codec takes 5" in reasons["bands.npy#0"]
    assert main(["fit", str(root), str(out), "--kind", "array", "--read", "bands=9"]) == 1
    assert "error: none of the first 11 samples can be read, such as" in capsys.readouterr().err


def test_tiles_of_several_sizes_and_workers_give_the_same(scenes, fitted, tmp_path):
    reader = ArrayReader(channels=5, tile="20x30")
    source = cut(open_source(scenes, suffixes=reader.suffixes), reader)
    assert len(source.splits["train"]) == 8 * 9
    for workers in (1, 2):
        shard_dataset(source, tmp_path / str(workers), codec=fitted, reader=reader, workers=workers)
    for path in (tmp_path / "1").glob("*.tar"):
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


def test_tensors_of_every_sort(fitted, tmp_path):
    x = torch.from_numpy(cube(5, (24, 24), np.uint16))
    samples = [x, x.float(), x.double(), x.int(), x.float().bfloat16(), x.float().to_sparse()]
    result = shard_dataset(samples, tmp_path / "out", codec=fitted, options=Options(shuffle=False))
    assert (result.samples, result.skipped) == (5, 1)
    assert "TypeError: can't convert Sparse" in (tmp_path / "out" / "errors.jsonl").read_text()
    latents = [z for z, *_ in LatentDataset(tmp_path / "out")]
    assert all(torch.equal(z, latents[0]) for z in latents[:4])
    assert (latents[4].int() - latents[0].int()).abs().max() <= 16
