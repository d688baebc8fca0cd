"""As what signals of a codec are drawn, how many of a dataset, and which."""

from walloc_data.codec import CodecConfig

__all__ = ["SHOWN", "drawn_as", "evenly"]

SHOWN = {"image": 12, "sound": 4, "video": 3, "array": 3}  # samples on a card and on a page: the same ones


def drawn_as(config: CodecConfig) -> str:
    """How signals of a codec are drawn: images and video only with the channels of one."""
    if (config.kind, config.dims) == ("audio", 1):
        return "sound"
    if config.kind in ("image", "video") and config.dims > 1 and config.signal_channels in (1, 3):
        return {2: "image", 3: "video"}[config.dims]
    return "array"


def evenly(count: int, samples: int) -> list[int]:
    """Numbers of at most `count` samples, evenly from so many."""
    count = min(count, samples)
    return [number * samples // count for number in range(count)]
