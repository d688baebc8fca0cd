import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from walloc_data.errors import FormatError
from walloc_data.format.columns import pack_columns, unpack_columns

DTYPES = (np.int32, np.int64, np.float32, np.float64)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def tables(draw):
    samples = draw(st.integers(1, 5))
    numbers = st.builds(
        lambda dtype, width, seed: np.random.default_rng(seed).integers(-99, 99, (samples, width)).astype(dtype),
        st.sampled_from(DTYPES),
        st.integers(2, 3),
        st.integers(0, 9),
    )
    strings = st.lists(st.text(max_size=8), min_size=samples, max_size=samples)
    values = st.lists(JSON, min_size=samples, max_size=samples)
    return samples, draw(st.dictionaries(st.text(max_size=20), numbers | strings | values, max_size=4))


@given(tables())
def test_columns_come_back(table):
    samples, columns = table
    found = unpack_columns(memoryview(pack_columns(columns, samples)), samples, where="here")
    assert list(found) == list(columns)
    for name, values in columns.items():
        if isinstance(values, np.ndarray):
            assert found[name].dtype == values.dtype
            np.testing.assert_array_equal(found[name], values)
        else:
            assert found[name] == values


def test_one_value_a_sample_comes_back_flat():
    labels = np.array([3, -1, 2**31 - 1], np.int32)
    found = unpack_columns(memoryview(pack_columns({"label": labels}, 3)), 3, where="here")["label"]
    assert found.shape == (3,)
    assert found.tolist() == labels.tolist()


def test_bytes_are_those_of_the_table():
    packed = pack_columns({"né": np.array([1, -2], np.int32), "s": ["a", "bç"], "j": [1, None]}, 2)
    expected = (
        struct.pack("<B", 3) + "né".encode() + b"i" + struct.pack("<I", 8) + struct.pack("<2i", 1, -2)
        + struct.pack("<B", 1) + b"s" + b"s" + struct.pack("<I", 12) + struct.pack("<2I", 1, 4) + "abç".encode()
        + struct.pack("<B", 1) + b"j" + b"j" + struct.pack("<I", 13) + struct.pack("<2I", 1, 5) + b"1null"
    )  # fmt: skip
    assert packed == expected


def test_only_one_column_is_read():
    packed = memoryview(pack_columns({"a": ["x"], "b": ["y"]}, 1))
    assert unpack_columns(packed, 1, where="here", only="b") == {"b": ["y"]}
    assert unpack_columns(packed, 1, where="here", only="c") == {}


@pytest.mark.parametrize(
    "columns", [{"a": np.zeros(2, np.int32)}, {"a": np.zeros(3, np.int16)}, {"a": np.zeros(3, ">i4")}, {"a": ["x"]}]
)
def test_unfit_columns_are_refused(columns):
    with pytest.raises(FormatError):
        pack_columns(columns, 3)


@given(st.binary(max_size=80), st.integers(1, 4))
def test_any_bytes_give_columns_or_a_format_error(data, samples):
    try:
        found = unpack_columns(memoryview(data), samples, where="here")
    except FormatError:
        return
    assert all(len(values) == samples for values in found.values())


def test_every_flip_gives_columns_or_a_format_error():
    packed = pack_columns({"label": np.arange(3, dtype=np.int32), "key": ["a", "ü", "c"], "j": [[1], {}, None]}, 3)
    for place in range(len(packed)):
        for bit in range(8):
            data = bytearray(packed)
            data[place] ^= 1 << bit
            try:
                found = unpack_columns(memoryview(data), 3, where="here")
            except FormatError:
                continue
            assert all(len(values) == 3 for values in found.values())


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 10_000, '"\\ud800'])
def test_hostile_json_is_a_format_error(text):
    body = struct.pack("<I", len(text)) + text.encode()
    data = b"\1aj" + struct.pack("<I", len(body)) + body
    with pytest.raises(FormatError, match="columns are damaged"):
        unpack_columns(memoryview(data), 1, where="here")
