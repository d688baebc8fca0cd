"""A few of the cases of `tools.fuzz`, which looks for trouble and ends where it finds some."""

import numpy as np
import pytest

from tools.fuzz import Target, try_payload, try_record
from walloc_data.entropy import CODERS


@pytest.mark.parametrize("number", CODERS)
def test_damage_is_an_error_or_what_a_checksum_tells(number: int) -> None:
    rng = np.random.default_rng(number)
    target = Target(CODERS[number], (3, 17, 12), rng)
    payloads = [try_payload(target, rng) for _ in range(400)]
    records = [try_record(target, rng) for _ in range(400)]
    assert payloads.count("an error") > 200
    assert records.count("an error of the format") > 200
    assert {"an error of the coder", "unharmed"} <= set(records)
