"""How pictures are brought to one size, photographs and frames of video alike: what is resized, and what is cut."""

from dataclasses import dataclass

from walloc_data.errors import SourceError

__all__ = ["Framing"]

_RESIZES, _CROPS = ("shorter", "squash", "none"), ("center", "none")
_MOST = 1 << 15  # pixels a side


@dataclass(frozen=True)
class Framing:
    """With a `size`, `resize="shorter"` brings the shorter side to it, `"squash"` both, `"none"` neither;
    `crop="center"` then cuts the square of `size` in the middle.

    Raises `SourceError` for other values.
    """

    size: int | None
    resize: str
    crop: str

    def __post_init__(self) -> None:
        if self.resize not in _RESIZES or self.crop not in _CROPS:
            raise SourceError(
                f"resize={self.resize!r}, crop={self.crop!r}: resize is one of {_RESIZES} and crop one of {_CROPS}"
            )
        if self.size is not None and not 1 <= self.size <= _MOST:
            raise SourceError(f"size={self.size!r} is not in 1 to {_MOST} pixels")

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after resizing, before cropping."""
        if self.size is None or self.resize == "none":
            return width, height
        if self.resize == "squash":
            return self.size, self.size
        scale = self.size / min(width, height)
        return max(self.size, round(width * scale)), max(self.size, round(height * scale))

    def cropped(self, width: int, height: int) -> tuple[int, int]:
        """What is left of a resized picture."""
        if self.size is None or self.crop == "none":
            return width, height
        return min(width, self.size), min(height, self.size)
