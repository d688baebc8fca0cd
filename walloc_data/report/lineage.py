"""What a dataset was made of, where that is other datasets."""

from typing import Any

__all__ = ["step_of"]


def step_of(step: dict[str, Any]) -> str:
    """What a manifest, of which anything may be wrong, says was done to other datasets."""
    of = step.get("of")
    named = [
        " ".join(str(one[name]) for name in ("dataset", "codec", "coder") if name in one)
        for one in (of if isinstance(of, list) else [])
        if isinstance(one, dict)
    ]
    options = step.get("options")
    told = [f"{name}={value}" for name, value in options.items()] if isinstance(options, dict) else []
    return f"made of {'; '.join(named)} by {' '.join([str(step.get('verb')), *told])}"
