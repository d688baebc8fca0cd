"""The way of a dataset to the Hugging Face Hub."""

__all__: list[str] = []
