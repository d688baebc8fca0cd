"""Codecs by name: those shipped with the package, files, and repositories of the Hugging Face Hub."""

import os
import re
from functools import lru_cache
from pathlib import Path

from walloc_data.checkpoints import checkpoint_at, read_checkpoint
from walloc_data.codec import Codec, codec_of, read_tensors, write_tensors
from walloc_data.errors import CodecError
from walloc_data.storage import hub_failures, hub_unreachable

__all__ = ["load_codec", "save_codec", "twice_as_coarse", "zoo_names"]

_ZOO = Path(__file__).parent / "weights"
_COARSER = re.compile(r"(.+)x(\d+(?:\.\d+)?)")
_HUB_FILE = "codec.safetensors"


def zoo_names() -> list[str]:
    """Names of the codecs shipped with the package, sorted."""
    return sorted(path.stem for path in _ZOO.glob("*.safetensors"))


def load_codec(name: str | os.PathLike[str]) -> Codec:
    """The codec of a zoo name (`"rgb-f8c12"`), or of a path: a `.safetensors` file or a dataset's folder.

    Behind a zoo name, `x2` or `x1.5` makes its steps so many times as coarse (`Codec.coarser`). Or the codec of a
    repository of the Hub: `hf://user/repo`, a model, or `hf://datasets/user/repo`.

    Checkpoints of the package `walloc` are taken too: `hf://danjacobellis/walloc/RGB_16x`, or here `NAME.pth` with
    `NAME.json` beside it, by either name, by what both begin with, or by their folder.

    No object is ever unpickled: of a checkpoint, numbers alone are read. Raises `CodecError` where there is no such
    codec or its file is damaged.

    >>> codec = load_codec("rgb-f8c12")
    >>> codec.channels, codec.factor, codec.latent_shape((256, 250))
    (12, 8, (12, 32, 32))
    >>> load_codec("rgb-f8c48x2")
    Codec('rgb-f8c48x2', fingerprint=a73a4087923dea94)
    """
    if not isinstance(name, str | os.PathLike):
        raise CodecError(f"a codec is a name of the zoo or a path, not {name!r}")
    name = os.fspath(name)
    if name.startswith("hf://"):
        return _from_hub(name)
    if (found := _in_zoo(name)) is not None:
        shipped, times = found
        return _load_zoo(shipped).coarser(times)
    path = Path(name)
    if path.name == "walloc.json":
        raise CodecError(f"{name} is the manifest of a dataset: give its folder, {path.parent}, for the codec of it")
    if os.path.isfile(path / _HUB_FILE):
        return _load_file(path / _HUB_FILE)
    if (weights := checkpoint_at(path)) is not None:
        return read_checkpoint(weights)
    if not os.path.isfile(path):  # of os, since those of Path raise for a name that is too long
        if name.endswith(".safetensors") and not os.path.isdir(name):
            raise CodecError(f"no codec {name!r}: there is no such file")
        raise CodecError(f"no codec {name!r}: it is neither a file nor one of the zoo ({', '.join(zoo_names())})")
    return _load_file(path)


def twice_as_coarse(name: str) -> str | None:
    """The name by which `load_codec` gives the codec of a name with steps twice as large; None for none of the zoo.

    >>> twice_as_coarse("rgb-f8c48"), twice_as_coarse("rgb-f8c48x1.5"), twice_as_coarse("mine.safetensors")
    ('rgb-f8c48x2', 'rgb-f8c48x3', None)
    """
    found = _in_zoo(name)
    return None if found is None else f"{found[0]}x{2 * found[1]:g}"


def _in_zoo(name: str) -> tuple[str, float] | None:
    """The codec of the zoo that a name is of, and how many times as coarse its steps are."""
    if name in zoo_names():
        return name, 1.0
    coarser = _COARSER.fullmatch(name)
    return (coarser[1], float(coarser[2])) if coarser and coarser[1] in zoo_names() else None


def save_codec(codec: Codec, path: str | os.PathLike[str]) -> None:
    """Write a codec as safetensors, with its configuration in the metadata."""
    write_tensors(path, *codec.state())


@lru_cache(maxsize=16)
def _load_zoo(name: str) -> Codec:
    return _load_file(_ZOO / f"{name}.safetensors")


def _load_file(path: Path) -> Codec:
    return codec_of(*read_tensors(path), origin=str(path))


def _from_hub(address: str) -> Codec:
    """The codec of `hf://[datasets/]user/repo[/CHECKPOINT][@revision]`."""
    place, _, revision = address.removeprefix("hf://").partition("@")
    kind = "dataset" if place.startswith("datasets/") else "model"
    user, _, rest = place.removeprefix("datasets/").partition("/")
    name, _, checkpoint = rest.partition("/")

    def get(file: str) -> Path:
        return _download(address, file, f"{user}/{name}".rstrip("/"), kind, revision or None)

    if not checkpoint:
        return _load_file(get(_HUB_FILE))
    stem = checkpoint.removesuffix(".pth").removesuffix(".json")
    return read_checkpoint(get(f"{stem}.pth"), get(f"{stem}.json"))


def _download(address: str, file: str, repo: str, kind: str, revision: str | None) -> Path:
    import huggingface_hub

    http, setting = hub_failures()
    failures: tuple[type[Exception], ...] = (*http, OSError, ValueError)
    try:
        return Path(huggingface_hub.hf_hub_download(repo, file, repo_type=kind, revision=revision))
    except setting as error:
        reason = f"{error}; check HF_ENDPOINT, and the proxy in https_proxy or all_proxy"
        raise CodecError(f"cannot get {file} of {address}: {reason}") from error
    except huggingface_hub.errors.LocalEntryNotFoundError as error:
        raise CodecError(f"cannot get {file} of {hub_unreachable(address, error)}") from error
    except failures as error:
        lacks = file == _HUB_FILE and isinstance(error, huggingface_hub.errors.EntryNotFoundError)
        hint = f". If it holds checkpoints of WaLLoC, name one: hf://{repo}/NAME" if lacks else ""
        raise CodecError(f"cannot get {file} of {address}: {' '.join(str(error).split())}{hint}") from error
