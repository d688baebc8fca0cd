"""What a codec is in a safetensors file: names of tensors, and metadata."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from walloc_data.codec.config import CodecConfig
from walloc_data.codec.decoders import Decoder, LinearDecoder, load_decoder
from walloc_data.codec.levels import Ends, each_axis
from walloc_data.codec.wavelets import has_parity
from walloc_data.errors import CodecError

__all__ = ["TENSORS", "check_parts", "network_of", "parts_of", "state_of", "told_of"]

TENSORS = ("mean", "odd", "encoder", "decoder", "steps")
_KIND, _VERSION = "walloc-codec", 1
_CODEC, _DECODER = "codec.", "decoder."  # before the names of tensors


def check_parts(config: CodecConfig, parts: Mapping[str, Tensor], scale: float) -> None:
    """Raises `CodecError` for tensors that are no codec of this configuration."""
    channels = parts["steps"].numel()
    rows = (channels, config.row_length)
    shapes = {
        "mean": (config.signal_channels,),
        "odd": (channels, config.dims),
        "encoder": rows,
        "decoder": rows,
        "steps": (channels,),
    }
    for name, shape in shapes.items():
        if tuple(parts[name].shape) != shape:
            raise CodecError(f"codec {config.name!r}: {name} has shape {tuple(parts[name].shape)}, not {shape}")
        if not bool(torch.isfinite(parts[name]).all()):
            raise CodecError(f"codec {config.name!r}: {name} has numbers that are not finite")
    if channels == 0 or not bool((parts["steps"] > 0).all()) or not 0 < scale < 1e9:
        raise CodecError(f"codec {config.name!r}: steps and scale must be positive and finite")
    if bool(parts["odd"].any()) and not has_parity(config.wavelet):
        raise CodecError(f"codec {config.name!r}: odd channels, and its wavelet {config.wavelet!r} has no parity")
    if bool((parts["odd"].bool() & (torch.tensor(config.factors) == 1)).any()):
        raise CodecError(f"codec {config.name!r}: odd channels along a dimension without levels")


def state_of(
    parts: Mapping[str, Tensor], config: Mapping[str, Any], network: Decoder
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a codec. A file without a decoder's name is of the linear one."""
    tensors, metadata = {_CODEC + name: tensor for name, tensor in parts.items()}, dict(config)
    tensors["codec.odd"] = parts["odd"].to(torch.uint8)
    if network.name != LinearDecoder.name:
        own, settings = network.state()
        tensors |= {_DECODER + name: tensor for name, tensor in own.items()}
        metadata["decoder"] = {"name": network.name, **settings}
    return tensors, {"kind": _KIND, "version": _VERSION, "codec": metadata}


def parts_of(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], float]:
    """The tensors of a codec by name, the fields of its configuration, and its scale."""
    if metadata.get("kind") != _KIND:
        raise CodecError(f"it is no codec: its metadata lacks kind={_KIND!r}")
    if metadata.get("version") != _VERSION:
        raise CodecError(
            f"it is a codec of version {metadata.get('version')}, and this walloc_data reads version {_VERSION}: "
            "upgrade walloc_data"
        )
    config = dict(metadata["codec"])
    known = {field.name for field in fields(CodecConfig)}  # a later version may add some
    parts: dict[str, Any] = {name: tensors[_CODEC + name] for name in TENSORS}
    return parts, {name: value for name, value in config.items() if name in known}, float(config["scale"])


def network_of(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], config: CodecConfig, *, channels: int
) -> Decoder:
    """The decoder that the metadata name, with its tensors."""
    settings = metadata["codec"].get("decoder", {"name": LinearDecoder.name})
    own = {name.removeprefix(_DECODER): tensor for name, tensor in tensors.items() if name.startswith(_DECODER)}
    ends = Ends(channels, config.packet_channels, each_axis(config.levels, config.dims))
    return load_decoder(settings["name"], own, settings, ends)


@contextmanager
def told_of(origin: str) -> Iterator[None]:
    """Whatever is wrong with a file becomes a `CodecError` that names it."""
    try:
        yield
    except CodecError as error:
        raise CodecError(f"{origin}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
        raise CodecError(f"{origin} is damaged: {type(error).__name__} {error}") from error
