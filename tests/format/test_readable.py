"""Numbers as people read them."""

import pytest

from walloc_data.format import readable_ratio


@pytest.mark.parametrize(
    ("source", "stored", "said"),
    [
        (1200, 500, "2.4 times smaller than the source files"),
        (500, 1200, "2.4 times larger than the source files"),
        (1000, 1030, "1.0 times as large as the source files"),
        (1000, 0, "1000.0 times smaller than the source files"),
    ],
)
def test_a_dataset_may_be_smaller_or_larger(source: int, stored: int, said: str) -> None:
    assert " times ".join(readable_ratio(source, stored, "the source files")) == said
