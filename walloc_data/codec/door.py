"""Which codec a file holds."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from walloc_data.codec.codec import Codec
from walloc_data.codec.original import OriginalCodec

__all__ = ["codec_of"]


def codec_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], *, origin: str) -> Codec:
    """The codec of what `Codec.state` gave, of whatever kind; `origin` names the file in errors (`CodecError`)."""
    kind = OriginalCodec if metadata.get("kind") == OriginalCodec.KIND else Codec
    return kind.from_state(tensors, metadata, origin=origin)
