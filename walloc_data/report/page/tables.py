"""Classes, columns, splits and bytes of a dataset as tables of a page."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from walloc_data.format import Manifest
from walloc_data.format.readable import readable_bytes
from walloc_data.report.page.markup import Markup, bar, element, name_of, table

__all__ = ["class_tables", "column_table", "option_table", "purpose_table", "split_table"]

_ALL, _ENDS = 24, 10  # classes that are all named; else the most and the least frequent
_TEXT = 60  # letters of a value
_BAR = element("span", "as a bar", class_="hidden")


def class_tables(manifest: Manifest, counts: Mapping[str, Counter[Any]], counted: str) -> list[Markup]:
    """Of each column of classes, samples a class. `counted` says of which samples."""
    parts: list[Markup] = []
    for column, names in manifest.classes.items():
        found = counts.get(column, Counter())
        each = [(names[place], found[place]) for place in range(len(names))]
        order = sorted(range(len(each)), key=lambda place: (-each[place][1], place))
        ranked, total = [each[place] for place in order], sum(count for _, count in each)
        if not ranked:
            continue
        most, title = max(1, ranked[0][1]), "" if column == "label" else f" of {column}"
        halves = np.median([count for _, count in ranked])
        without = sum(found.values()) - total
        spread = f"{ranked[-1][1]:,} to {ranked[0][1]:,} samples each, half of them at most {halves:,.0f}"
        if ranked[-1][1] == ranked[0][1]:
            spread = f"{ranked[0][1]:,} samples each"
        sentence = f"{len(names):,} {'class' if len(names) == 1 else 'classes'}{title}: {spread}{counted}." + (
            f" {without:,} samples have none." if without else ""
        )
        parts.append(element("p", sentence))
        shown = [("Classes" + title, ranked)]
        if len(ranked) > _ALL:
            shown = [(f"Most frequent{title}", ranked[:_ENDS]), (f"Least frequent{title}", ranked[-_ENDS:])]
        tables = [
            table(
                caption,
                ("class", "samples", _BAR),
                [(name_of(name), f"{count:,}", bar(count / most)) for name, count in of],
                numbers=[1],
                headed=len(ranked) <= _ALL,
            )
            for caption, of in shown
        ]
        parts.append(element("div", *tables, class_="columns"))
    return parts


def column_table(manifest: Manifest, fields: Sequence[Mapping[str, Any]]) -> Markup:
    """Every column, its type, and what it holds in the samples that were looked at."""
    names = dict.fromkeys([*manifest.columns, *(name for each in fields for name in each)])
    rows = []
    for name in names:
        values = [each[name] for each in fields if each.get(name) is not None]
        kind = manifest.columns.get(name) or (type(values[0]).__name__ if values else "")
        kind = "int8" if (name, kind) == ("latents", "json") else kind  # of shapes that differ, said in a line of JSON
        holds, example = _told(name, values, manifest)
        rows.append((name_of(name), element("code", kind), holds, example))
    return table("Columns", ("column", "type", "holds", "such as"), rows, headed=True)


def _told(name: str, values: Sequence[Any], manifest: Manifest) -> tuple[str, Markup]:
    """What values of a column are, and one of them."""
    if name == "latents":
        return "x itself", element("span", "")
    if not values:
        return "nothing in these samples", element("span", "")
    first, classes = values[0], manifest.classes.get(name)
    if classes and isinstance(first, int) and 0 <= first < len(classes):
        return f"one of {len(classes):,} classes", name_of(f"{first}: {classes[first]}")
    if all(isinstance(value, int | float) for value in values):
        low, high = min(values), max(values)
        return (f"{_number(low)}" if low == high else f"{_number(low)} to {_number(high)}"), name_of(_number(first))
    if all(isinstance(value, str) for value in values):
        lengths = [len(value) for value in values]
        same = f"{lengths[0]:,}" if min(lengths) == max(lengths) else f"{min(lengths):,} to {max(lengths):,}"
        return f"{len(set(values)):,} different texts, {same} letters", name_of(_short(first))
    if all(isinstance(value, bytes) for value in values):
        return "bytes", element("span", f"{len(first):,} bytes")
    if all(isinstance(value, list | tuple) for value in values):
        lengths = sorted({len(value) for value in values})
        of = f"{lengths[0]:,}" if len(lengths) == 1 else f"{lengths[0]:,} to {lengths[-1]:,}"
        return f"lists of {of}", name_of(_short(_json(first)))
    return "values of several kinds" if len({type(value) for value in values}) > 1 else "objects", name_of(
        _short(_json(first))
    )


def split_table(manifest: Manifest) -> Markup:
    """Splits, and what each takes."""
    rows = [
        (
            name_of(split),
            f"{manifest.samples(split):,}",
            f"{len(shards):,}",
            f"{sum(shard.records for shard in shards):,}",
            readable_bytes(sum(shard.bytes for shard in shards)),
        )
        for split, shards in manifest.splits.items()
    ]
    return table("Splits", ("split", "samples", "shards", "records", "bytes"), rows, numbers=[1, 2, 3, 4])


def purpose_table(purposes: Mapping[str, int]) -> Markup:
    """Bytes by what they are for."""
    total = max(1, sum(purposes.values()))
    rows = [
        (name, readable_bytes(share), f"{share / total:.1%}", bar(share / total)) for name, share in purposes.items()
    ]
    return table("Where the bytes go", ("what", "bytes", "share", _BAR), rows, numbers=[1, 2])


def option_table(manifest: Manifest) -> Markup | None:
    """How the dataset was read and written, as far as its manifest says."""
    rows = [
        (element("code", f"{group} {name}"), name_of(_short(value if isinstance(value, str) else _json(value))))
        for group, options in manifest.options.items()
        if isinstance(options, dict)
        for name, value in options.items()
    ]
    return table("Options", ("option", "value"), rows, headed=True) if rows else None


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda other: f"{type(other).__name__}")


def _short(value: str) -> str:
    return value if len(value) <= _TEXT else f"{value[:_TEXT]}…"
