"""The read path, step by step: open, find records, decode samples, make batches ahead."""

__all__: list[str] = []
