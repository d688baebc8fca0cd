"""Raw files: what the machine says of one is never taken for what is in it."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from walloc_data.errors import SampleError, SourceError
from walloc_data.signals.array_files import open_array
from walloc_data.signals.arrays import ArrayReader
from walloc_data.signals.audio import AudioReader
from walloc_data.signals.raw_file import raw_file
from walloc_data.signals.signal import Window
from walloc_data.signals.stored import plain_part
from walloc_data.signals.video import VideoReader

UNREADABLE = Path("/proc/self/mem")  # opens, and gives an input/output error where it is read
unreadable = pytest.mark.skipif(not UNREADABLE.exists(), reason="needs a file that opens and cannot be read")


@unreadable
@pytest.mark.parametrize(
    "reader", [ArrayReader(channels=1, dims=2), AudioReader(channels=1), VideoReader()], ids=lambda one: one.kind
)
@pytest.mark.parametrize("windowed", [False, True])
def test_an_error_of_the_disk_stops_a_run_and_blames_no_sample(reader, windowed, capfd):
    data = Window(UNREADABLE, 0.0, 0) if windowed else UNREADABLE
    with pytest.raises(SourceError, match=r"^/proc/self/mem: cannot be read \(Input/output error\)\. Nothing is lost"):
        reader.read(data, "a")
    assert "Traceback" not in capfd.readouterr().err


@unreadable
def test_an_error_counts_whatever_was_made_of_it():
    def misread():
        with raw_file(UNREADABLE, "sound") as file:
            assert file.read(4) == file.read() == b""
            raise SampleError("a file without sound")

    with pytest.raises(SourceError, match="Input/output"):
        misread()


def test_an_array_that_is_cut_short_while_it_is_open_is_damaged(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(60_000).reshape(3, 100, 200))
    with open_array(path, None) as stored:
        os.truncate(path, 300_000)
        with pytest.raises(SampleError, match=r"^cut short: its header says 480000 bytes of numbers, and it holds"):
            stored.take((slice(None),) * 3)


@st.composite
def parts(draw):
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    ends = [sorted(draw(st.tuples(st.integers(0, side - 1), st.integers(0, side - 1)))) for side in shape]
    part = tuple(draw(st.sampled_from([slice(None), slice(first, last + 1)])) for first, last in ends)
    return shape, part, draw(st.sampled_from("CF")), draw(st.sampled_from(["u1", "<i2", ">i2", "<f4", ">f8", "?"]))


@given(parts())
def test_a_part_is_what_numpy_takes_of_the_whole(case):
    shape, part, order, name = case
    values = np.arange(math.prod(shape)).reshape(shape).astype(name)
    data = b"head" + values.tobytes(order)
    with raw_file(data, "an array") as file:
        taken = plain_part(file, part, dtype=np.dtype(name), shape=shape, offset=4, order=order)
    assert taken.dtype == values.dtype
    np.testing.assert_array_equal(taken, values[part])
