"""Checkpoints of the package `walloc`: a JSON of hyper-parameters beside a `.pth` of weights."""

import json
import os
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from walloc_data.codec.original import Architecture, OriginalCodec, plain_weights
from walloc_data.codec.state import told_of
from walloc_data.errors import CodecError

__all__ = ["checkpoint_at", "read_checkpoint"]

_WEIGHTS, _SETTINGS = ".pth", ".json"
_KEY = "model_state_dict"


def checkpoint_at(path: Path) -> Path | None:
    """The file of weights that a path means: itself, what its JSON lies beside, what it is a stem of, or the only one
    in a folder. None where there is none; raises `CodecError` for a folder of several."""
    if os.path.isdir(path):
        found = sorted(path.glob(f"*{_WEIGHTS}"))
        if len(found) > 1:
            names = ", ".join(each.stem for each in found)
            raise CodecError(f"{path} has several checkpoints, {names}: name one, such as {found[0].with_suffix('')}")
        return found[0] if found else None
    if path.suffix in (_WEIGHTS, _SETTINGS):
        return path.with_suffix(_WEIGHTS)
    beside = path.with_name(path.name + _WEIGHTS)
    others = (beside, path.with_name(path.name + _SETTINGS))
    return beside if not os.path.isfile(path) and any(map(os.path.isfile, others)) else None


def read_checkpoint(path: Path, settings: Path | None = None) -> OriginalCodec:
    """The codec of a file of weights, and of the JSON beside it (or at `settings`); it is called like the file.

    Nothing but numbers is read: a file that holds more is refused. Raises `CodecError` for that, for a file that is
    missing or damaged, and for weights that are not of the hyper-parameters.
    """
    settings = settings or path.with_suffix(_SETTINGS)
    for each, other in ((path, settings), (settings, path)):
        if not os.path.isfile(each):
            raise CodecError(f"{each} is missing: a checkpoint is that and {other.name} beside it")
    with told_of(str(settings)):
        content = json.loads(settings.read_bytes())
    tensors = _weights(path)
    with told_of(str(path)):
        dims = 2 if any(each.dim() == 4 for each in tensors.values()) else 1  # kernels have two sides
        return OriginalCodec(path.stem, Architecture.of(content, dims=dims), plain_weights(tensors))


def _weights(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how the file was pickled
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        raise CodecError(
            f"{path} holds {found[1] if found else 'something'} beside weights, and to read it is to run what its "
            "maker wrote: if you trust it, write the weights alone into another file, "
            f"torch.save({{{_KEY!r}: torch.load(PATH, weights_only=False)[{_KEY!r}]}}, OTHER)"
        ) from error
    except Exception as error:  # whatever a damaged pickle comes to
        reason = str(error).split("\n")[0] or type(error).__name__
        raise CodecError(f"{path} is no readable file of torch.save ({reason})") from error
    weights = content.get(_KEY) if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping) or not all(isinstance(each, Tensor) for each in weights.values()):
        raise CodecError(f"{path} holds no {_KEY!r} of tensors by name, as checkpoints of WaLLoC do")
    return {str(name): tensor for name, tensor in weights.items()}
