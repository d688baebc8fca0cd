"""Interlaced frames, whose odd and even lines are of different moments, made whole."""

from collections.abc import Iterator
from typing import Any

__all__ = ["progressive"]

_FILTER, _OPTIONS = "bwdif", "mode=send_frame:deint=interlaced"


def progressive(frames: Iterator[Any], stream: Any) -> Iterator[Any]:
    """Frames of a stream of PyAV as they are, but those marked as interlaced by FFmpeg's bwdif, one for one.

    Frames pass through the filter from the first on that is marked, since it looks at those before and behind.
    """
    graph: _Graph | None = None
    for frame in frames:
        if graph is None and frame.interlaced_frame:
            graph = _Graph(stream)
        if graph is None:
            yield frame
        else:
            yield from graph.through(frame)
    if graph is not None:
        yield from graph.through(None)


class _Graph:
    def __init__(self, stream: Any) -> None:
        import av

        self.graph, self.pauses = av.filter.Graph(), (BlockingIOError, EOFError)
        nodes = [
            self.graph.add_buffer(template=stream),
            self.graph.add(_FILTER, _OPTIONS),
            self.graph.add("buffersink"),
        ]
        self.graph.link_nodes(*nodes).configure()

    def through(self, frame: Any) -> Iterator[Any]:
        """What comes out once a frame has gone in; None is the end."""
        self.graph.push(frame)
        while True:
            try:
                yield self.graph.pull()
            except self.pauses:
                return
