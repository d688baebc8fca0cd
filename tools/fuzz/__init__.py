"""Damage at random of all that is read: `python -m tools.fuzz`."""

__all__: list[str] = []
