"""The write path, step by step: plan, read and encode, share out, remember."""

__all__: list[str] = []
