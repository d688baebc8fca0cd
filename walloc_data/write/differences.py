"""What differs between two runs, in words."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["differing_keys", "differing_options"]

_EXAMPLES = 3
_LONGEST = 80  # characters of a value


def differing_options(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A phrase for each option that is not as it was."""
    names = [name for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name)]
    if "codec" in names:
        names = [name for name in names if name != "fingerprint"]
    return [f"{name} was {_shown(before, name)} and is now {_shown(now, name)}" for name in names]


def differing_keys(before: Mapping[str, Iterable[str]], now: Mapping[str, Iterable[str]]) -> list[str]:
    """A phrase for the samples of each split that are new, and for those that are gone."""
    phrases = []
    for split in dict.fromkeys([*before, *now]):
        old, new = (dict.fromkeys(keys.get(split, ())) for keys in (before, now))
        for keys, others, what in ((new, old, "new in"), (old, new, "gone from")):
            differing = [key for key in keys if key not in others]
            if differing:
                count = f"{len(differing):,} {'sample is' if len(differing) == 1 else 'samples are'}"
                examples = ", ".join(map(repr, differing[:_EXAMPLES]))
                more = ", ..." if len(differing) > _EXAMPLES else ""
                phrases.append(f"{count} {what} {split} ({examples}{more})")
    return phrases


def _shown(options: Mapping[str, Any], name: str) -> str:
    shown = repr(options[name]) if options.get(name) is not None else "not given"
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
