"""The sections of a page: what is said where, of what was gathered."""

from typing import NamedTuple

import numpy as np

from walloc_data.errors import WallocError
from walloc_data.format.readable import readable_bytes
from walloc_data.report.drawn import span
from walloc_data.report.kinds import drawn_as
from walloc_data.report.lineage import step_of
from walloc_data.report.page.basis import MOST_CHANNELS, draw_basis
from walloc_data.report.page.charts import bars, histogram
from walloc_data.report.page.facts import Facts
from walloc_data.report.page.markup import Markup, element, fact_list, name_of
from walloc_data.report.page.overview import overview
from walloc_data.report.page.tables import class_tables, column_table, option_table, purpose_table, split_table

__all__ = ["Section", "sections"]


class Section(NamedTuple):
    """A part of the page: its anchor, its heading, and what stands under it."""

    anchor: str
    heading: str
    parts: list[Markup]


def sections(facts: Facts, items: list[Markup]) -> list[Section]:
    """All sections that there is something to say in, the first without a heading."""
    found = [
        Section("overview", "", overview(facts)),
        Section("samples", "Samples", _samples(facts, items)),
        Section("distribution", "Bytes and quality", _distribution(facts)),
        Section("channels", "Channels", _channels(facts)),
        Section("classes", "Classes", class_tables(facts.opened.manifest, facts.scan.classes, facts.counted)),
        Section("columns", "Columns", [column_table(facts.opened.manifest, facts.judged.fields)]),
        Section("storage", "Storage", _storage(facts)),
    ]
    return [section for section in found if section.parts]


def _samples(facts: Facts, items: list[Markup]) -> list[Markup]:
    known = f"{len(facts.judged.psnr):,} of {facts.judged.asked:,} originals were found" if facts.against else ""
    here = facts.opened.manifest.samples(facts.split)
    said = [
        f"{len(items):,} of {here:,} samples of ",
        name_of(facts.split),
        ", evenly from all of it" + (f"; {known}." if known else ", decoded."),
    ]
    if not facts.against:
        said.append(" With --against SRC they stand beside their originals.")
    return [
        element("p", *said),
        element("ul", *items, class_=f"samples {drawn_as(facts.opened.codec.config)}", role="list"),
    ]


def _distribution(facts: Facts) -> list[Markup]:
    charts: list[Markup] = []
    sizes = facts.scan.bytes
    if len(sizes):
        charts.append(histogram(sizes, readable_bytes, title="Bytes a sample", of="samples", whole=True))
    psnr = np.array(list(facts.judged.psnr.values()))
    if len(psnr):
        charts.append(histogram(psnr, lambda value: f"{value:.4g} dB", title="PSNR", of="samples"))
    elif charts:
        charts.append(
            element(
                "figure",
                element("figcaption", "PSNR"),
                element("p", _of_the_whole(facts), class_="empty"),
                class_="panel",
            )
        )
    return (
        [element("p", f"Bytes are those of payloads{facts.counted}."), element("div", *charts, class_="columns")]
        if charts
        else []
    )


def _of_the_whole(facts: Facts) -> str:
    stated = facts.opened.manifest.summary.psnr
    measured = "It was not measured" if stated is None else f"{stated:.2f} dB on average, measured"
    return f"{measured} when the dataset was made. With --against SRC it is measured sample by sample."


def _channels(facts: Facts) -> list[Markup]:
    opened = facts.opened
    codec, latents = opened.codec, facts.judged.latents
    bits: list[float] = []
    try:
        bits = opened.coder.bits_by_channel(latents).tolist() if latents else []
    except WallocError:  # tables that fit no latents
        bits = []
    parts = []
    if bits:
        parts.append(
            bars(
                bits,
                lambda value: f"{value:.2f} bits",
                title=f"Bits a latent by channel ({opened.coder.bits_are})",
                of="channel",
            )
        )
    functions = list(draw_basis(codec))
    if functions:
        names = [f"{bits[place]:.2f} b" if bits else "" for place in range(len(functions))]
        cells = [
            element(
                "li",
                function,
                element("span", element("span", "channel ", class_="hidden"), f"{place}", class_="channel"),
                element("span", names[place], class_="bits"),
            )
            for place, function in enumerate(functions)
        ]
        shown = (
            f"all {codec.channels:,}"
            if len(functions) == codec.channels
            else f"the first {MOST_CHANNELS} of {codec.channels:,}"
        )
        heading = element("h3", "What each channel adds to a signal", id="basis")
        said = f"Basis functions of {shown} channels, in the order of the variance they hold; with their bits a latent."
        parts += [
            heading,
            element("p", said),
            element("ol", *cells, class_=f"basis {drawn_as(codec.config)}", role="list", aria_labelledby="basis"),
        ]
    return parts


def _storage(facts: Facts) -> list[Markup]:
    opened, summary = facts.opened, facts.opened.manifest.summary
    config, codec, manifest = opened.codec.config, opened.codec, opened.manifest
    network = codec.network.name + (f", {codec.network.parameters:,} parameters" if codec.network.parameters else "")
    latents = span([each.shape for each in facts.judged.latents])
    about = fact_list(
        [
            ("Codec", name_of(codec.name)),
            ("Fingerprint", element("code", codec.fingerprint)),
            ("Wavelet", config.wavelet),
            ("One position stands for", " × ".join(map(str, config.factors)) + " values a channel"),
            ("Latents", f"int8 {latents.replace(' x ', ' × ')}" if latents else "int8"),
            ("Decoder", network),
            ("Coder", f"{manifest.coder}, layout {manifest.layout}"),
            ("Saturated latents", f"{summary.saturated:,} of {summary.latents:,}"),
            ("Samples that could not be read", f"{summary.skipped:,}"),
        ],
        class_="facts-list",
    )
    tables = [split_table(manifest)]
    if facts.purposes:
        tables.append(purpose_table(facts.purposes))
    options = option_table(manifest)
    steps = [element("li", step_of(step)) for step in manifest.lineage]
    looked = (
        f"Headers and columns of {_count(facts.scan.records, 'record')}, and the payload of "
        f"{_count(facts.judged.looked_at, 'sample')}, were read for this page."
    )
    return [
        about,
        element("div", *tables, class_="columns"),
        *([element("details", element("summary", "Options it was made with"), options)] if options else []),
        *([element("h3", "Made of other datasets"), element("ol", *steps)] if steps else []),
        element("p", looked, class_="note"),
    ]


def _count(number: int, of: str) -> str:
    return f"{number:,} {of}{'' if number == 1 else 's'}"
