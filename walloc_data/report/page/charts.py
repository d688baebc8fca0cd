"""Charts as SVG that takes the colours of its page, each with its numbers as a table."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from walloc_data.report.curves import Curve, thinned
from walloc_data.report.page.markup import Markup, element, table

__all__ = ["bars", "curves", "histogram", "polyline"]

_WIDTH, _WIDE = 560, 1160  # of a chart beside another, and alone, in units of its own
_HEIGHT, _TOP, _BASE = 210, 26, 180  # and where bars end
_BINS, _TICKS = 24, 5  # about so many
_MOST_BARS = 256
_ROUND = (1, 2, 2.5, 5, 10)


def histogram(
    values: NDArray[np.float64], shown: Callable[[float], str], *, title: str, of: str, whole: bool = False
) -> Markup:
    """How often values occur, in about 24 ranges of round numbers, with their median marked.

    `shown` says a value with its unit, `of` what is counted; `whole` values are no fractions.
    """
    values = values[np.isfinite(values)]
    edges = _edges(values, whole)
    counts = np.histogram(values, edges)[0]
    low, high, median = float(values.min()), float(values.max()), float(np.median(values))
    span = edges[-1] - edges[0]

    def at(value: float) -> float:
        return float(_WIDTH * (value - edges[0]) / span)

    each = [(edges[place], edges[place + 1], int(counts[place])) for place in range(len(counts))]
    drawn = [
        _bar(at(start), at(end), count / counts.max(), f"{shown(start)} to {shown(end)}: {count:,}")
        for start, end, count in each
    ]
    step = _step(span / _TICKS, whole)
    ticks = step * np.arange(math.ceil(edges[0] / step - 1e-9), edges[-1] / step + 1e-9)
    axis = [_label(at(tick), _HEIGHT - 12, shown(float(tick))) for tick in ticks]
    middle = at(median)
    mark = [
        element("line", x1=f"{middle:.1f}", x2=f"{middle:.1f}", y1=_TOP - 8, y2=_BASE, class_="mark"),
        _label(middle, _TOP - 12, f"median {shown(median)}", "strong"),
    ]
    said = f"{title}: {len(values):,} {of}, {shown(low)} to {shown(high)}, median {shown(median)}"
    rows = [(f"{shown(start)} to {shown(end)}", f"{count:,}") for start, end, count in each if count]
    return _figure(title, said, [*drawn, *axis, *mark], table(title, ("range", of), rows, numbers=[1], headed=True))


def bars(values: Sequence[float], shown: Callable[[float], str], *, title: str, of: str) -> Markup:
    """A bar for each of some numbers from 0 on, by their places; of many, for the mean of some neighbours."""
    together = -(-len(values) // _MOST_BARS)
    means = [float(np.mean(values[first : first + together])) for first in range(0, len(values), together)]
    most, width = max(*means, 1e-9), _WIDE / len(means)
    names = [
        f"{first}" if together == 1 else f"{first} to {min(first + together, len(values)) - 1}"
        for first in range(0, len(values), together)
    ]
    drawn = [
        _bar(place * width, (place + 1) * width, mean / most, f"{of} {name}: {shown(mean)}")
        for place, (mean, name) in enumerate(zip(means, names, strict=True))
    ]
    step = int(_step(max(1, len(values) / 8), whole=True))
    axis = [
        _label((place / together + 0.5) * width, _HEIGHT - 12, f"{place}", width=_WIDE)
        for place in range(0, len(values), step)
    ]
    top = [
        element("line", x1="0", x2=_WIDE, y1=_TOP, y2=_TOP, class_="grid"),
        _label(_WIDE, _TOP - 6, shown(most), "strong end"),
    ]
    said = f"{title}: {shown(min(values))} to {shown(max(values))} over {len(values):,} {of}s"
    rows = zip(names, map(shown, means), strict=True)
    numbers = table(title, (of, "mean" if together > 1 else "value"), rows, numbers=[1], headed=True)
    return _figure(title, said, [*top, *drawn, *axis], numbers, _WIDE)


def curves(of: Sequence[Curve], along: str, said: str) -> Markup:
    """Curves in one frame: originals as broad pale lines, what is decoded as thin ones over them."""
    known = [values for curve in of for values in curve if values is not None]
    finite = [values[np.isfinite(values)] for values in known]
    ends = [(float(values.min()), float(values.max())) for values in finite if values.size]
    low, high = min((end[0] for end in ends), default=0.0), max((end[1] for end in ends), default=1.0)
    lines = [
        polyline(values, low, high, (_WIDTH, _TOP, _BASE - 6), f"curve{place % 3}{'' if thin else ' pale'}")
        for thin in (False, True)
        for place, curve in enumerate(of)
        if (values := curve.decoded if thin else curve.original) is not None
    ]
    axis = [
        element("line", x1="0", x2=_WIDTH, y1=_BASE, y2=_BASE, class_="axis"),
        _label(0, _TOP - 10, f"{low:.4g} to {high:.4g}", "start"),
        _label(0, _HEIGHT - 12, f"{along} 0", "start"),
        _label(_WIDTH, _HEIGHT - 12, f"{len(known[0]) - 1:,}", "end"),
    ]
    return _svg(said, [*lines, *axis])


def polyline(
    values: NDArray[np.floating], low: float, high: float, frame: tuple[float, float, float], class_: str
) -> Markup:
    """Numbers `[n]` as a line over a `frame`: its width, its upper and its lower end."""
    width, top, base = frame
    at, shown = thinned(values, int(width / 2))
    y = base - (base - top) * (np.nan_to_num(shown, nan=low) - low) / ((high - low) or 1)
    points = " ".join(f"{x * width:.1f},{down:.1f}" for x, down in zip(at.tolist(), y.tolist(), strict=True))
    return element("polyline", points=points, class_=class_, fill="none")


def _edges(values: NDArray[np.float64], whole: bool) -> NDArray[np.float64]:
    """Ends of ranges, round numbers, that hold all values."""
    low, high = float(values.min()), float(values.max())
    step = _step((high - low) / _BINS or max(abs(high) / 100, 1e-9), whole)
    first = math.floor(low / step)
    return np.asarray(step * np.arange(first, max(math.floor(high / step), first) + 2), np.float64)


def _step(least: float, whole: bool) -> float:
    """The next round number."""
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * factor for factor in _ROUND if power * factor >= least * (1 - 1e-9))
    return max(1.0, float(round(step)) if whole else step) if whole else step


def _bar(start: float, end: float, share: float, said: str) -> Markup:
    height, gap = (_BASE - _TOP) * share, min(1.5, (end - start) / 6)
    return element(
        "rect",
        element("title", said),
        x=f"{start + gap:.2f}",
        y=f"{_BASE - height:.2f}",
        width=f"{max(end - start - 2 * gap, 0.4):.2f}",
        height=f"{height:.2f}",
        rx=f"{min(2.0, (end - start) / 6):.2f}",
    )


def _label(x: float, y: float, said: str, class_: str = "", width: int = _WIDTH) -> Markup:
    """Text below or above a place, moved inwards where it would leave the chart."""
    half = 3.4 * len(said)
    x = x if class_.endswith(("start", "end")) else min(max(x, half), width - half)
    return element("text", said, x=f"{x:.1f}", y=f"{y:.1f}", class_=class_ or None)


def _svg(said: str, parts: Sequence[Markup], width: int = _WIDTH) -> Markup:
    return element(
        "svg", *parts, viewBox=f"0 0 {width} {_HEIGHT}", role="img", aria_label=said, class_="chart", focusable="false"
    )


def _figure(title: str, said: str, parts: Sequence[Markup], numbers: Markup, width: int = _WIDTH) -> Markup:
    base = element("line", x1="0", x2=width, y1=_BASE, y2=_BASE, class_="axis")
    return element(
        "figure",
        element("figcaption", title),
        _svg(said, [*parts, base], width),
        element("details", element("summary", "As a table"), numbers),
        class_="panel",
    )
