"""Damaged files of datasets: indices, manifests, journals, codecs with each decoder, and datasets as they are read."""

import json
import shutil
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchmarks.photographs import CLASSES, window
from tools.fuzz.damage import Attempt, damaged, edited
from walloc_data import ImageReader, LatentDataset, Options, StreamingLatentDataset, load_codec, shard_dataset
from walloc_data.codec import Codec
from walloc_data.codec.conv import ConvDecoder
from walloc_data.codec.refine import RefineDecoder
from walloc_data.codec.state import TENSORS
from walloc_data.codec.tensors import parse_tensors, write_tensors
from walloc_data.errors import CodecError, CoderError, DatasetError, FormatError
from walloc_data.format import JOURNAL_FILE, MANIFEST_FILE, Manifest
from walloc_data.format.shard import INDEX_HEADER, parse_index
from walloc_data.report.info import describe_dataset
from walloc_data.verify import verify_dataset
from walloc_data.write.journal import damaged_lines, read_journal

__all__ = ["codecs", "datasets", "indices", "journals", "manifests"]

_MOST = 1 << 22  # values of what a damaged codec is tried on


def _dataset(folder: Path) -> Path:
    """A dataset of 24 pictures with captions, in three shards; made once a folder."""
    out = folder / "dataset"
    if not out.exists():
        samples = [
            {"image": window(CLASSES[n % 3], n, (32, 32)), "label": CLASSES[n % 3], "caption": f"number {n}"}
            for n in range(24)
        ]
        reader, options = ImageReader(size=32), Options(block=4, shard_samples=8)
        shard_dataset(samples, out, reader=reader, options=options)
    return out


def indices(folder: Path) -> Attempt:
    """Indices, with a right CRC32 every other time."""
    whole = (_dataset(folder) / "train-00000.idx").read_bytes()

    def attempt(rng: np.random.Generator) -> str:
        data = bytearray(damaged(whole, rng))
        if rng.integers(2) and len(data) > INDEX_HEADER.size:
            data[16:20] = zlib.crc32(data[INDEX_HEADER.size :]).to_bytes(4, "little")
        try:
            entries, size = parse_index(bytes(data), "here")
        except FormatError:
            return "an error of the format"
        if (entries["offset"].astype(object) + entries["bytes"].astype(object) > size).any():
            raise ValueError("a record behind the end")
        return "read"

    return attempt


def journals(folder: Path) -> Attempt:
    """Journals: lines that are damaged are passed over."""
    whole = (_dataset(folder) / JOURNAL_FILE).read_bytes()
    own = folder / "journal"
    own.mkdir(exist_ok=True)

    def attempt(rng: np.random.Generator) -> str:
        if rng.integers(2):
            data = damaged(whole, rng)
        else:
            lines = whole.decode().splitlines()
            number = int(rng.integers(len(lines)))
            content = json.loads(lines[number])
            del content["crc32"]  # as version 0.1 wrote none
            lines[number] = json.dumps(edited(content, rng))
            data = "\n".join(lines).encode(errors="surrogatepass") + b"\n"
        (own / JOURNAL_FILE).write_bytes(data)
        head, reports = read_journal(own)
        damaged_lines(data)
        return f"{len(reports)} reports" + ("" if head is not None else ", no head")

    return attempt


def codecs(folder: Path) -> Attempt:
    """Files of codecs, of images and of sound, with each decoder, which encode and decode where they can be read."""
    linear, sound = load_codec("rgb-f8c12"), load_codec("mono-f64c16")
    conv = ConvDecoder.new(linear.channels, linear.config.packet_channels, 2, width=8, blocks=1)
    refine = RefineDecoder(ConvDecoder.new(48, 48, 2, width=8, blocks=1), (3, 3), 1, conv)
    parts = {name: getattr(linear, name) for name in (*TENSORS, "scale")}
    learned = [Codec(linear.config, **parts, network=network) for network in (conv, refine)]
    path, files = folder / "codec.safetensors", list[bytes]()
    for codec in (linear, sound, *learned):
        write_tensors(path, *codec.state())
        files.append(path.read_bytes())

    def attempt(rng: np.random.Generator) -> str:
        data = files[rng.integers(len(files))]
        if rng.integers(2):
            data = damaged(data, rng)
        else:
            length = int.from_bytes(data[:8], "little")
            header = json.loads(data[8 : 8 + length])
            if rng.integers(2):
                header["__metadata__"]["walloc"] = json.dumps(edited(json.loads(header["__metadata__"]["walloc"]), rng))
            else:
                header = edited(header, rng)
            text = json.dumps(header).encode(errors="surrogatepass")
            data = len(text).to_bytes(8, "little") + text + data[8 + length :]
        try:
            codec = Codec.from_state(*parse_tensors(data, where="here"), origin="here")
            config = codec.config
            side = 2 * max(config.factors) if config.dims < 3 else max(config.factors)
            shape = (1, config.signal_channels, *[side] * config.dims)
            if np.prod(shape, dtype=float) > _MOST:
                return "larger than is tried here"
            codec.decode(codec.encode(torch.zeros(shape)))
            codec.fingerprint  # noqa: B018
        except CodecError as error:
            if "memory" in str(error):
                raise ValueError(f"memory by the word of a header: {error}") from error
            return "an error of the codec"
        return "read"

    return attempt


def manifests(folder: Path) -> Attempt:
    """Manifests with odd values, without the sum that would tell; what can be opened is read, described, verified."""
    out = _dataset(folder)
    copy = Path(shutil.copytree(out, folder / "manifests", dirs_exist_ok=True))
    content = json.loads((out / MANIFEST_FILE).read_text())
    del content["checksum"]

    def attempt(rng: np.random.Generator) -> str:
        if rng.integers(4):
            odd = content
            for _ in range(rng.integers(1, 4)):
                odd = edited(odd, rng)
            data = json.dumps(odd).encode(errors="surrogatepass")
        else:
            data = damaged(json.dumps(content).encode(), rng)
        (copy / MANIFEST_FILE).write_bytes(data)
        return _all_of(copy, rng, before=_files(out, folder))

    return attempt


def datasets(folder: Path) -> Attempt:
    """Datasets one of whose files is damaged, by both doors."""
    out = _dataset(folder)
    copy = Path(shutil.copytree(out, folder / "datasets", dirs_exist_ok=True))
    names = sorted(path.name for path in out.iterdir() if path.name not in ("README.md", JOURNAL_FILE))

    def attempt(rng: np.random.Generator) -> str:
        name = names[rng.integers(len(names))]
        (copy / name).write_bytes(damaged((out / name).read_bytes(), rng))
        try:
            return _all_of(copy, rng, before=_files(out, folder))
        finally:
            shutil.copy(out / name, copy / name)

    return attempt


def _files(out: Path, folder: Path) -> set[str]:
    """All that there should be beside one another, whatever a dataset says."""
    return {path.name for path in folder.iterdir()} | {path.name for path in out.iterdir()}


def _all_of(root: Path, rng: np.random.Generator, *, before: set[str]) -> str:
    """Open, read, describe and verify a dataset; what it says must not make files elsewhere."""

    def by_number() -> None:
        for split in _splits(root):
            for _ in DataLoader(LatentDataset(root, split), batch_size=8):
                pass

    def by_stream() -> None:
        for split in _splits(root):
            for _ in StreamingLatentDataset(root, split, batch_size=8, seed=int(rng.integers(9))):
                pass

    outcomes = set()
    for act in (partial(verify_dataset, root, deep=True), partial(describe_dataset, root), by_number, by_stream):
        try:
            act()
            outcomes.add("read")
        except (FormatError, CoderError, CodecError, DatasetError) as error:
            if "\n" in str(error):
                raise ValueError(f"no sentence of one line: {str(error)[:2000]!r}") from error
            outcomes.add("an error")
    if extra := {path.name for path in root.parent.iterdir()} - before:
        raise ValueError(f"files that nobody asked for: {extra}")
    return " and ".join(sorted(outcomes))


def _splits(root: Path) -> list[str]:
    return list(Manifest.read(root).splits)
