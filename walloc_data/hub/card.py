"""A dataset card that people have added to."""

import re
from contextlib import suppress

import yaml
from huggingface_hub import DatasetCard

__all__ = ["merged_card"]

_KEPT = "<!-- What stands below this line is kept by `walloc push`. -->"


def merged_card(card: str, before: bytes) -> bytes:
    """A card with what people added to the one before: entries of its head, and text below the line that keeps it."""
    new, kept, entries = DatasetCard(card), before.decode("utf-8", "replace"), {}
    with suppress(ValueError, yaml.YAMLError):  # a head that cannot be read is text like the rest
        if re.match(r"\s*---\s*\n", kept):
            old = DatasetCard(kept, ignore_metadata_errors=True)
            kept, entries = old.text, old.data.to_dict()
    for key, value in entries.items():
        if new.data.get(key) is None:
            new.data[key] = value
        elif key == "tags" and isinstance(value, list):
            new.data[key] = list(dict.fromkeys([*new.data[key], *value]))
    _, line, below = kept.partition(_KEPT)
    new.text = f"{new.text.rstrip()}\n\n{_KEPT}\n{(below if line else kept).strip()}".rstrip() + "\n"
    if (new.text, new.data.to_dict()) == (kept, entries):
        return before  # whatever the order of its entries
    return str(new).encode()
