"""The head of a page: what a dataset is, in a line and six numbers."""

import numpy as np

from walloc_data.format.readable import readable_bytes, readable_ratio
from walloc_data.report.drawn import Drawn
from walloc_data.report.page.facts import Facts
from walloc_data.report.page.markup import Markup, element, fact_list, name_of
from walloc_data.report.units import in_its_units
from walloc_data.signals import told

__all__ = ["overview"]

_DAMAGES = 20  # that are named


def overview(facts: Facts) -> list[Markup]:
    """Its name, what it is in a line, what is damaged, and its figures."""
    opened, summary = facts.opened, facts.opened.manifest.summary
    codec, reading = opened.codec, opened.manifest.options.get("read")
    shards = sum(shard.bytes for shards in opened.manifest.splits.values() for shard in shards)
    total = sum(facts.purposes.values()) or shards
    what = told(codec.config, reading if isinstance(reading, dict) else {}).samples
    quality = _quality(facts)
    tiles = [
        (f"{summary.samples:,}", "sample" if summary.samples == 1 else "samples"),
        (readable_bytes(total), "in all"),
        _beside_source(summary.source_bytes, total),
        (f"{codec.config.packet_channels / codec.channels:.3g}×", "fewer numbers than the signal"),
        (f"{summary.bits_per_latent:.2f}", "bits a latent"),
        quality or ("", ""),
    ]
    parts = [
        element("h1", name_of(facts.title)),
        element(
            "p", f"{what[:1].upper()}{what[1:]}, as latents of the codec ", name_of(codec.name), ".", class_="lead"
        ),
        *_damage(facts),
        fact_list([(name, number) for number, name in tiles if number], class_="tiles"),
    ]
    lines = in_its_units(opened, Drawn(facts.judged.latents, facts.judged.fields), total)
    return [*parts, *(element("p", _sentence(line), class_="units") for line in lines)]


def _sentence(line: str) -> str:
    """A line of `walloc info`, without the word that begins it."""
    rest = line.partition("  ")[2].strip()
    return f"{rest[:1].upper()}{rest[1:]}."


def _beside_source(source: int, total: int) -> tuple[str, str]:
    """How a dataset's bytes compare with those that it was made of; nothing where those are not known."""
    if not source or not total:
        return "", ""
    times, how = readable_ratio(source, total, "the source files")
    return f"{times}×", how


def _quality(facts: Facts) -> tuple[str, str] | None:
    psnr, stated = facts.judged.psnr, facts.opened.manifest.summary.psnr
    if psnr:
        return f"{np.mean(list(psnr.values())):.1f} dB", f"PSNR, mean of {len(psnr):,}"
    return None if stated is None else (f"{stated:.1f} dB", "PSNR, measured when it was made")


def _damage(facts: Facts) -> list[Markup]:
    damaged = facts.damaged
    if not damaged:
        return []
    more = [element("li", f"and {len(damaged) - _DAMAGES:,} more")] if len(damaged) > _DAMAGES else []
    return [
        element(
            "section",
            element(
                "h2", "Damaged: " + ("one place" if len(damaged) == 1 else f"{len(damaged):,} places"), id="damage"
            ),
            element(
                "p", "This is left out of all that follows. ", element("code", "walloc verify"), " says how to mend it."
            ),
            element("ul", *(element("li", each) for each in damaged[:_DAMAGES]), *more),
            class_="damage",
            aria_labelledby="damage",
        )
    ]
