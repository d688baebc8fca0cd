"""Write the golden datasets and payloads of the tests: `python -m tools.make_golden`.

What is committed in `tests/golden` must decode for ever. Run this only when the format gets a new version,
and keep the files of the old one. `tests/golden/0.1` is what version 0.1.0 made of the pictures in its `source`:
finished in both layouts, and broken off after the first of its shards.
"""

import json
import shutil
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from benchmarks.photographs import window
from walloc_data import Codec, ImageReader, LatentDataset, Options, load_codec, save_codec, shard_dataset
from walloc_data.codec.conv import ConvDecoder
from walloc_data.codec.original import Architecture, OriginalCodec
from walloc_data.entropy import RansCoder
from walloc_data.format import JOURNAL_FILE
from walloc_data.signals import Signal

Latents = NDArray[np.int8]
GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
VERSION = "0.1"


def main() -> None:
    """Write every golden dataset, and what it decodes to."""
    codec = load_codec("gray-f8c4")
    with tempfile.TemporaryDirectory() as folder:
        classes, flat = Path(folder, "classes"), Path(folder, "flat")
        for place, (split, count) in enumerate((("train", 3), ("val", 1))):
            for number, name in enumerate(("chelsea", "flower")):
                (classes / split / name).mkdir(parents=True)
                for i in range(count):
                    window(name, 10 * place + i, (40 + number, 32)).save(classes / split / name / f"ж {i}.png")
        flat.mkdir()
        for number in range(3):
            window("chelsea", number, (30 + 5 * number, 20)).save(flat / f"{number}.png")
        for name, source, reader, options in (
            ("records", classes, ImageReader(channels=1, size=32), Options(coder="zstd", block=4)),
            ("samples", classes, ImageReader(channels=1, size=32), Options(coder="zstd", layout="samples")),
            ("ragged", flat, ImageReader(channels=1, resize="none", crop="none"), Options(coder="zstd")),
        ):
            out = GOLDEN / name
            shutil.rmtree(out, ignore_errors=True)
            shard_dataset(source, out, codec=codec, reader=reader, options=options)
            (out / "README.md").unlink()
            (GOLDEN / f"{name}.json").write_text(expected(out), "utf-8")
    write_version(GOLDEN / VERSION)
    for name, latents in latents_by_dimensions().items():
        write_payloads(GOLDEN / "rans" / f"{name}.safetensors", latents)
    write_decoder(GOLDEN / "decoders")
    write_original(GOLDEN / "decoders")


def write_original(folder: Path) -> None:
    """An original codec for sound, of random weights, and a signal, its latents, and what becomes of them."""
    settings = {"channels": 1, "J": 2, "Ne": 4, "Nd": 4, "latent_dim": 2, "latent_bits": 7}
    architecture = Architecture(dims=1, lightweight_encode=True, post_filter=True, **settings)
    draw = torch.Generator().manual_seed(0)
    tensors = {name: torch.randn(shape, generator=draw) / 4 for name, shape in architecture.shapes().items()}
    tensors["encoder.0.weight"] *= 200
    tensors["post.weight"] /= 400
    save_codec(OriginalCodec("original", architecture, tensors), folder / "original.safetensors")
    codec, x = load_codec(folder / "original.safetensors"), torch.rand(1, 1, 120, generator=draw) - 0.5
    z = codec.encode(x)
    arrays = {"signal": x.numpy(), "latents": z.numpy(), "decoded": codec.decode(z).numpy()}
    save_file(arrays, folder / "original-decoded.safetensors")


def write_decoder(folder: Path) -> None:
    """A codec with the decoder `conv`, of random weights, and what it makes of some latents."""
    folder.mkdir(exist_ok=True)
    linear, draw = load_codec("gray-f8c4"), torch.Generator().manual_seed(0)
    conv = ConvDecoder.new(4, 64, 2, width=8, blocks=2, kernel=3, gain=1 / linear.steps)
    for name, tensor in conv.tensors.items():
        if name in ("output", "direct") or name.endswith("bias"):
            conv.tensors[name] = (torch.randn(tensor.shape, generator=draw) / 50).half().float()
    parts = {name: getattr(linear, name) for name in ("mean", "odd", "encoder", "decoder", "steps", "scale")}
    codec = Codec(linear.config, **parts, network=conv)
    save_codec(codec, folder / "conv.safetensors")
    latents = torch.randint(-9, 10, (2, 4, 5, 6), generator=draw, dtype=torch.int8)
    save_file(
        {"latents": latents.numpy(), "signal": codec.decode(latents).numpy()}, folder / "conv-decoded.safetensors"
    )


def write_version(folder: Path) -> None:
    """Pictures, and what this version makes of them: finished datasets, and one as an interruption leaves it."""
    shutil.rmtree(folder, ignore_errors=True)
    source, codec = folder / "source", load_codec("gray-f8c4")
    for place, (split, of_class) in enumerate((("train", 5), ("val", 2))):
        for name in ("chelsea", "flower"):
            (source / split / name).mkdir(parents=True)
            for number in range(of_class):
                picture = window(name, 10 * place + number, (40, 32 + number)).convert("L")
                picture.save(source / split / name / f"{number}.png", optimize=True)
    listed = source
    for layout in ("records", "samples"):
        out, options = folder / layout, Options(layout=layout, block=4, shard_samples=4)
        shard_dataset(listed, out, codec=codec, reader=ImageReader(channels=1, size=32), options=options)
        (out / "README.md").unlink()
        (folder / f"{layout}.json").write_text(expected(out), "utf-8")
    with suppress(KeyboardInterrupt):
        out = folder / "interrupted"
        options = Options(block=4, shard_samples=4)
        shard_dataset(listed, out, codec=codec, reader=Interrupted(channels=1, size=32), options=options)
    journal = out / JOURNAL_FILE
    journal.write_text(journal.read_text("utf-8").replace(str(source), "SOURCE"), "utf-8")


class Interrupted(ImageReader):
    """A reader whose user gives up in the second shard: after those that the coder is fitted to, and five more."""

    reads = count(1)

    def read(self, data: Any, name: str) -> Signal:
        if next(self.reads) > 10 + 5:
            raise KeyboardInterrupt
        return super().read(data, name)


def latents_by_dimensions() -> dict[str, Latents]:
    """Latents `[N, c, *space]` of one to three space dimensions, from photographs; the last two samples are extreme."""
    codec = load_codec("gray-f8c4")
    pictures = [np.asarray(window("chelsea", number, (104, 96)).convert("L")) for number in range(6)]
    image = codec.encode(torch.from_numpy(np.stack(pictures)[:, None])).numpy()
    found = {
        "line": image.reshape(6, 4, -1)[..., :151],
        "image": image,
        "video": image[:, :, :8].reshape(6, 2, 2, 8, 13),
        "tall": image.reshape(6, 4, 39, 4),
    }
    found = {name: np.array(latents, order="C") for name, latents in found.items()}
    for latents in found.values():
        latents[4].reshape(-1)[::37], latents[4].reshape(-1)[5::53] = 127, -128  # what no distribution holds
        latents[5] = (np.arange(latents[5].size) * 89 % 256 - 128).reshape(latents[5].shape)  # stored as it is
    return found


def write_payloads(path: Path, latents: Latents) -> None:
    """Latents, the tables of `rans` fitted to the usual ones, and payloads: one after the other, and their lengths."""
    coder = RansCoder.fit(list(latents[:4]))
    payloads = coder.encode(latents)
    path.parent.mkdir(exist_ok=True)
    arrays = {"latents": latents, "payloads": np.frombuffer(b"".join(payloads), np.uint8)}
    save_file({**arrays, "lengths": np.array([len(p) for p in payloads], np.uint32), **coder.tables()}, path)


def expected(out: Path) -> str:
    """Latents and columns of every sample as JSON, a line a sample."""
    lines = []
    for split in ("train", "val"):
        if list(out.glob(f"{split}-*.tar")):
            dataset = LatentDataset(out, split)
            for index in range(len(dataset)):
                latents, _ = dataset[index]
                sample = {"split": split, **dataset.fields(index), "shape": list(latents.shape)}
                sample["latents"] = np.asarray(latents).ravel().tolist()
                lines.append(json.dumps(sample, ensure_ascii=False))
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    main()
