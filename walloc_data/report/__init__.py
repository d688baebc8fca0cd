"""What a dataset holds, as text and as pictures."""

__all__: list[str] = []
