"""Integer latents to bytes and back. A coder's id is permanent: it never changes meaning."""

from walloc_data.entropy.rans import RansCoder
from walloc_data.entropy.registry import CODERS, Coder, coder_class, load_coder
from walloc_data.entropy.zstd import ZstdCoder

__all__ = ["CODERS", "Coder", "RansCoder", "ZstdCoder", "coder_class", "load_coder"]
