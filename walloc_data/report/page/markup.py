"""HTML and SVG as text, in which whatever is not markup by type is escaped."""

import html
import re
from collections.abc import Iterable
from typing import Any

__all__ = ["Markup", "bar", "element", "fact_list", "name_of", "table", "text"]

_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # what no page may hold
_VOID = {"input", "img", "meta", "link", "br"}


class Markup(str):
    """Text that is HTML already: it goes into a page as it is, where all other text is escaped."""

    __slots__ = ()


def text(value: object) -> Markup:
    """A value as HTML that shows it, whatever stands in it."""
    return value if isinstance(value, Markup) else Markup(html.escape(_NO_TEXT.sub("\ufffd", str(value))))


def element(tag: str, *children: object, **attributes: Any) -> Markup:
    """`<tag a="b">children</tag>`; `class_` is the attribute class, `aria_label` aria-label.

    An attribute of True stands without a value, one of None or False not at all.
    """
    given = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text(value)}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _VOID:
        return Markup(f"<{tag}{given}>")
    return Markup(f"<{tag}{given}>{''.join(map(text, children))}</{tag}>")


def name_of(value: object, **attributes: Any) -> Markup:
    """A name that a dataset gives, in whatever script: it turns no other text around."""
    return element("bdi", value, **attributes)


def table(
    caption: object,
    head: Iterable[object],
    rows: Iterable[Iterable[object]],
    *,
    numbers: Iterable[int] = (),
    headed: bool = False,
) -> Markup:
    """A table whose first column names the rows; those of `numbers` are set flush right. Where it is `headed` by the
    same words already, its caption is not seen, only heard."""
    right = set(numbers)

    def cells(row: Iterable[object], header: str) -> list[Markup]:
        return [
            element(
                "th" if place == 0 or header == "col" else "td",
                value,
                scope=header if header == "col" else "row" if place == 0 else None,
                class_="number" if place in right else None,
            )
            for place, value in enumerate(row)
        ]

    body = [element("tr", *cells(row, "row")) for row in rows]
    return element(
        "div",
        element(
            "table",
            element("caption", caption, class_="hidden" if headed else None),
            element("thead", element("tr", *cells(head, "col"))),
            element("tbody", *body),
        ),
        class_="scroll",
        role="region",
        tabindex="0",
        aria_label=caption,
    )


def bar(share: float) -> Markup:
    """A bar of so much of its cell, for who sees it; the number stands beside it."""
    return element(
        "svg",
        element("rect", width=f"{100 * min(1.0, max(0.0, share)):.2f}%", height="100%", rx="1.5"),
        class_="bar",
        aria_hidden="true",
    )


def fact_list(facts: Iterable[tuple[object, object]], **attributes: Any) -> Markup:
    """Names and what they are of, as a list of descriptions."""
    pairs = (element("div", element("dt", name), element("dd", value)) for name, value in facts)
    return element("dl", *pairs, **attributes)
