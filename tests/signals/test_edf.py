"""Files of the European Data Format, written here by its specification."""

import numpy as np
import pytest

from tests.array_files import cube
from walloc_data import ArrayReader
from walloc_data.errors import SampleError
from walloc_data.signals import Window

COUNTS = (50, 50, 5, 10)  # samples a record of 0.5 seconds: two channels of 100 Hz, one of 10, and annotations


def edf(records: int = 8, said: int | None = None, kind: str = "EDF+C", **changes: list[object]) -> bytes:
    """Channels of digital numbers 0, 1, 2 ...; `changes` of the header's columns."""
    columns = {
        "label": (16, ["EEG Fpz-Cz", "EEG Pz-Oz", "Temp", "EDF Annotations"]),
        "sensor": (80, [""] * 4),
        "unit": (8, ["uV", "uV", "degC", ""]),
        "low": (8, [-250, -100, 30, -1]),
        "high": (8, [250, 100, 40, 1]),
        "least": (8, [-2048, -2048, 0, -32768]),
        "most": (8, [2047, 2047, 100, 32767]),
        "filter": (80, [""] * 4),
        "count": (8, list(COUNTS)),
        "reserved": (32, [""] * 4),
    }
    head = ["0".ljust(8), "patient".ljust(80), "recording".ljust(80), "01.01.26".ljust(8), "00.00.00".ljust(8)]
    head += [str(256 * 5).ljust(8), kind.ljust(44), str(records if said is None else said).ljust(8), "0.5".ljust(8)]
    head.append("4".ljust(4))
    for name, (width, values) in columns.items():
        head += [str(value).ljust(width) for value in changes.get(name, values)]
    rows = [digital().reshape(4, -1)[:, 50 * row : 50 * (row + 1)] for row in range(records)]
    data = b"".join(row[n, :count].astype("<i2").tobytes() for row in rows for n, count in enumerate(COUNTS))
    return "".join(head).encode() + data


def digital() -> np.ndarray:
    return cube(4, (400,), np.int16)


def units(channels: int = 2) -> np.ndarray:
    low, high = np.array([-250.0, -100.0])[:, None], np.array([250.0, 100.0])[:, None]
    return (low + (digital()[:channels] + 2048) * (high - low) / 4095).astype(np.float32)


def test_channels_of_one_rate_in_their_units(tmp_path):
    path = tmp_path / "a.edf"
    path.write_bytes(edf())
    reader = ArrayReader(channels=2, dims=1, variable=100)
    for data in (edf(), path, edf(said=-1)):
        values = reader.read(data, "a").values
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, units(), rtol=1e-6)
    tiled = ArrayReader(channels=2, dims=1, variable="100", tile=60)
    starts = tiled.starts(path, "a")
    assert len(starts) == 7
    for start in starts:
        window = tiled.read(Window(path, start, 0), "a")
        [first] = window.fields["origin"]
        np.testing.assert_allclose(window.values, units()[:, first : first + 60], rtol=1e-6)
    temperature = ArrayReader(channels=1, dims=1, variable="10").read(edf(), "a").values
    assert temperature.shape == (1, 40)
    np.testing.assert_allclose(temperature[0, :5], 30 + digital()[2, :5] / 10, rtol=1e-6)
    found = ArrayReader.like(path, "a", variable=100)
    assert (found.channels, found.dims) == (2, 1)


@pytest.mark.parametrize(
    ("data", "options", "reason"),
    [
        (edf(), {}, "2 arrays: say which with variable=NAME (100: EEG Fpz-Cz, EEG Pz-Oz, 10: Temp)"),
        (edf(), {"variable": 256}, "no array '256'"),
        (edf(kind="EDF+D"), {"variable": 100}, "gaps in time"),
        (edf()[:-9], {"variable": 100}, "cut short: its header says 1840 bytes of numbers, and it holds 1831"),
        (edf()[:700], {"variable": 100}, "it is cut short"),
        (edf()[:99], {"variable": 100}, "a damaged EDF"),
        (edf(said=0), {"variable": 100}, "it holds nothing"),
        (edf(said=99999999), {"variable": 100}, "are more than the limit"),
        (edf(count=[50, 50, -5, 10]), {"variable": 100}, "-5 samples a record"),
        (edf(least=[0] * 4, most=[0] * 4), {"variable": 100}, "a damaged EDF"),
        (edf(low=["x"] * 4), {"variable": 100}, "a damaged EDF"),
    ],
)
def test_what_is_wrong_is_said(data, options, reason):
    with pytest.raises(SampleError) as caught:
        ArrayReader(channels=2, dims=1, **options).read(data, "a")
    assert reason in str(caught.value)
