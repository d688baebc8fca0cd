"""H.264 as a peer of codecs for video: libx264 by PyAV on one core, its bytes those of the packets."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["decode_h264", "encode_h264", "to_rgb", "to_yuv"]


def to_yuv(frames: NDArray[np.uint8]) -> list[Any]:
    """Frames `[3, T, H, W]` of even sides as PyAV's, yuv420p of BT.601."""
    made = []
    for number in range(frames.shape[1]):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frames[:, number].transpose(1, 2, 0)), format="rgb24")
        made.append(frame.reformat(format="yuv420p", interpolation="BICUBIC"))
        made[-1].pts, made[-1].time_base = number, Fraction(1, 25)
    return made


def to_rgb(frames: Sequence[Any]) -> NDArray[np.uint8]:
    """The inverse, uint8 `[3, T, H, W]`."""
    planes = []
    for frame in frames:
        planar = frame.reformat(format="gbrp", interpolation="BICUBIC")
        green, blue, red = (
            np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
            for plane in planar.planes
        )
        planes.append(np.stack((red, green, blue)))
    return np.stack(planes, 1)


def encode_h264(frames: Sequence[Any], *, preset: str, crf: float, keyframes: int) -> list[bytes]:
    """The packets of frames as `to_yuv` gives them, with a keyframe every `keyframes` at least."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
    codec.time_base, codec.framerate, codec.thread_count = Fraction(1, 25), Fraction(25), 1
    codec.gop_size = keyframes
    codec.options = {"preset": preset, "crf": f"{crf:g}", "x264-params": "threads=1:lookahead-threads=1"}
    packets = [packet for frame in frames for packet in codec.encode(frame)]
    return [bytes(packet) for packet in (*packets, *codec.encode(None))]


def decode_h264(packets: Sequence[bytes]) -> list[Any]:
    """Frames of packets, in the order in which they are shown, yuv420p."""
    codec = av.CodecContext.create("h264", "r")
    codec.thread_count = 1
    frames = [frame for packet in packets for frame in codec.decode(av.Packet(packet))]
    return [*frames, *codec.decode(None)]
