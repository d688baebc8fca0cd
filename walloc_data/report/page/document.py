"""A page of HTML around its sections, with all that it takes in it."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files

from walloc_data.report.page.markup import Markup, element, name_of, text
from walloc_data.report.page.sections import Section

__all__ = ["document"]

_NEVER = "default-src 'none'; img-src data:; media-src data:; base-uri 'none'; form-action 'none'"  # from elsewhere


def document(title: str, sections: Sequence[Section]) -> str:
    """The page. What it says of itself forbids a browser to fetch anything for it, or to run what is not its own."""
    style, script = _part("page.css"), _part("page.js")
    policy = f"{_NEVER}; style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{title} · walloc report"),
        element("link", rel="icon", href="data:,"),
        element("style", style),
    )
    named = [section for section in sections if section.heading]
    links = [element("li", element("a", section.heading, href=f"#{section.anchor}")) for section in named]
    main = [
        element(
            "section",
            *([element("h2", section.heading, id=section.anchor)] if section.heading else []),
            *section.parts,
            aria_labelledby=section.anchor if section.heading else None,
            class_="" or None,
        )
        for section in sections[1:]
    ]
    body = element(
        "body",
        element("a", "Skip to the samples", href="#samples", class_="skip"),
        element("header", element("div", *sections[0].parts, class_="within")),
        element("nav", element("ul", *links, class_="within", role="list"), aria_label="On this page"),
        element("main", *main, class_="within"),
        element(
            "footer",
            element("p", "Written by walloc_data ", text(version("walloc-data")), ", from ", name_of(title), "."),
            class_="within",
        ),
        _DIALOG,
        element("script", script),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


_DIALOG = element(
    "dialog",
    element(
        "div",
        element("h2", "", id="dialog-name"),
        element("button", "Close", type="button", class_="close"),
        class_="bar-line",
    ),
    element("div", class_="stage"),
    element(
        "label",
        element("span", "original", aria_hidden="true"),
        element("input", type="range", min="0", max="100", value="50", aria_label="How much of the original is shown"),
        element("span", "decoded", aria_hidden="true"),
        class_="slider",
    ),
    id="larger",
    aria_labelledby="dialog-name",
)


def _part(name: str) -> Markup:
    return Markup(files(__package__).joinpath(name).read_text("utf-8"))


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
