import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from walloc_data.errors import FormatError
from walloc_data.format.columns import pack_columns, unpack_columns

DTYPES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def tables(draw):
    samples = draw(st.integers(1, 5))
    numbers = st.builds(
        lambda dtype, shape, seed: np.random.default_rng(seed).integers(-99, 99, (samples, *shape)).astype(dtype),
        st.sampled_from(DTYPES),
        st.lists(st.integers(0, 3), max_size=3),
        st.integers(0, 9),
    )
    strings = st.lists(st.text(max_size=8), min_size=samples, max_size=samples)
    strings |= st.lists(st.binary(max_size=8), min_size=samples, max_size=samples)
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


def test_a_column_of_a_type_that_is_not_known_yet_is_passed_over():
    packed = pack_columns({"label": np.arange(2, dtype=np.int32)}, 2) + b"\1xZ" + struct.pack("<I", 3) + b"abc"
    packed += pack_columns({"key": ["a", "b"]}, 2)
    assert list(unpack_columns(memoryview(packed), 2, where="here")) == ["label", "key"]
    with pytest.raises(FormatError, match="ends behind the record"):
        unpack_columns(memoryview(b"\1xZ" + struct.pack("<I", 3) + b"ab"), 2, where="here")


def test_whatever_the_byte_order_of_the_machine_values_come_back():
    found = unpack_columns(memoryview(pack_columns({"x": np.array([1, 2], ">i4")}, 2)), 2, where="here")
    assert found["x"].tolist() == [1, 2]


def test_arrays_are_those_of_the_table():
    packed = pack_columns({"m": np.array([[[True, False]], [[True, True]]]), "b": [b"\xff", b""]}, 2)
    assert packed == (
        b"\1ma" + struct.pack("<I3sB2I4B", 16, b"|b1", 2, 1, 2, 1, 0, 1, 1)
        + b"\1bb" + struct.pack("<I2IB", 9, 1, 1, 255)
    )  # fmt: skip


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
    assert unpack_columns(packed, 1, where="here", only=["b"]) == {"b": ["y"]}
    assert unpack_columns(packed, 1, where="here", only="c") == {}


@pytest.mark.parametrize(
    "columns",
    [{"a": np.zeros(2, np.int32)}, {"a": np.zeros(3, complex)}, {"a": np.zeros(3, "M8[s]")}, {"a": ["x"]}]
    + [{"a" * 256: ["x"] * 3}, {"a": np.zeros((3,) + 9 * (1,))}],
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
    packed += pack_columns({"boxes": np.zeros((3, 2, 4), np.float16), "mask": [b"a", b"", b"bc"]}, 3)
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
