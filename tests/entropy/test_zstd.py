"""The coder `zstd`: round trips, samples alone, dictionaries, and payloads and tables that are hostile."""

import mmap
import pickle
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from walloc_data.entropy import ZstdCoder
from walloc_data.errors import CoderError

MIXED = np.arange(5, dtype=np.uint8)


def pack(payloads: Sequence[bytes]) -> tuple[bytes, np.ndarray]:
    lengths = np.array([len(payload) for payload in payloads], np.uint64)
    return b"".join(payloads), np.stack([np.cumsum(lengths) - lengths, lengths], 1)


def round_trip(coder: ZstdCoder, latents: np.ndarray) -> list[bytes]:
    payloads = coder.encode(latents)
    buffer, segments = pack(payloads)
    out = np.full(latents.shape, 77, np.int8)
    coder.decode(buffer, segments, out)
    np.testing.assert_array_equal(out, latents)
    return payloads


def skewed(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).laplace(0, 3, shape).round().clip(-127, 127).astype(np.int8)


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    return skewed(8, 5, 9, 7)


@pytest.mark.parametrize("channels", [1, 2, 12, 500])
@pytest.mark.parametrize("space", [(1,), (40,), (1, 1), (9, 14), (3, 4, 5)])
@pytest.mark.parametrize("count", [1, 5])
def test_round_trips(channels: int, space: tuple[int, ...], count: int) -> None:
    rng = np.random.default_rng(channels)
    coder = ZstdCoder(rng.integers(0, 5, channels).astype(np.uint8))
    shape = (count, channels, *space)
    for x in (
        skewed(*shape),
        rng.integers(-128, 128, shape).astype(np.int8),
        np.full(shape, -128, np.int8),
        np.zeros(shape, np.int8),
    ):
        round_trip(coder, x)


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(0, 6), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    spread=st.floats(0.01, 90),
    seed=st.integers(0, 999),
)
def test_round_trips_of_every_spread(shape: tuple[int, ...], spread: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, spread, shape).clip(-128, 127).astype(np.int8)
    coder = ZstdCoder.fit(list(x)) if len(x) else ZstdCoder(np.zeros(shape[1], np.uint8))
    round_trip(coder, x)


def test_views_are_coded_as_their_copies() -> None:
    x = skewed(6, 10, 8, 8)[::2, ::-2, :, 1:]
    coder = ZstdCoder(MIXED)
    assert coder.encode(x) == coder.encode(x.copy())
    round_trip(coder, x)


def test_skewed_latents_shrink_and_noise_hardly_grows() -> None:
    coder = ZstdCoder(np.zeros(12, np.uint8))
    assert sum(map(len, round_trip(coder, skewed(4, 12, 32, 32)))) < 0.6 * 4 * 12 * 32 * 32
    noise = np.random.default_rng(0).integers(-128, 128, (1, 12, 32, 32)).astype(np.int8)
    assert len(round_trip(coder, noise)[0]) < noise.nbytes + 20


@settings(max_examples=50)
@given(order=st.lists(st.integers(0, 7), max_size=12))
def test_any_samples_in_any_order_decode_alone(latents: np.ndarray, order: list[int]) -> None:
    coder = ZstdCoder(MIXED)
    buffer, segments = pack(coder.encode(latents))
    out = np.empty((len(order), *latents.shape[1:]), np.int8)
    coder.decode(buffer, segments[order], out)
    np.testing.assert_array_equal(out, latents[order])


def test_a_sample_has_the_same_payload_in_any_batch(latents: np.ndarray) -> None:
    coder = ZstdCoder(MIXED)
    together = coder.encode(latents)
    assert together == [coder.encode(sample[None])[0] for sample in latents]
    assert together == ZstdCoder(MIXED).encode(latents)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, np.array])
def test_payloads_in_any_buffer(kind: type, latents: np.ndarray) -> None:
    coder = ZstdCoder(MIXED)
    buffer, segments = pack(coder.encode(latents))
    out = np.empty_like(latents)
    coder.decode(np.frombuffer(buffer, np.uint8) if kind is np.array else kind(buffer), segments, out)
    np.testing.assert_array_equal(out, latents)


def test_payloads_in_a_read_only_memory_map(tmp_path: Path, latents: np.ndarray) -> None:
    coder = ZstdCoder(MIXED)
    buffer, segments = pack(coder.encode(latents))
    (tmp_path / "payloads").write_bytes(b"before" + buffer)
    with (tmp_path / "payloads").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        out = np.empty_like(latents)
        coder.decode(mapped, segments + np.array([6, 0], np.uint64), out)
        np.testing.assert_array_equal(out, latents)
    # Leaving the block closes the map, which fails where the coder still holds on to it.


def small_alike(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    words = rng.integers(-120, 120, (8, 4, 4)).astype(np.int8)
    return [words[rng.integers(0, 8, 3)] for _ in range(count)]


TRAINED = ZstdCoder.fit(small_alike(400))


def test_a_dictionary_is_kept_where_it_pays() -> None:
    samples = small_alike(400)
    coder = ZstdCoder.fit(samples)
    assert coder.dictionary
    assert coder.dictionary == ZstdCoder.fit(samples).dictionary
    with_it = round_trip(coder, np.stack(samples[:50]))
    without = round_trip(ZstdCoder(coder.predictors), np.stack(samples[:50]))
    assert sum(map(len, with_it)) < sum(map(len, without))
    assert round_trip(ZstdCoder.from_tables(coder.tables()), np.stack(samples[:50])) == with_it


@pytest.mark.parametrize(
    "samples",
    [
        [skewed(3, 24, 24, seed=seed) for seed in range(32)],
        [np.zeros((3, 8, 8), np.int8)] * 40,
        small_alike(15),
        [skewed(3, 8, 8)],
    ],
    ids=["noise", "alike", "few", "one"],
)
def test_and_left_where_it_does_not(samples: list[np.ndarray]) -> None:
    coder = ZstdCoder.fit(samples)
    assert not coder.dictionary
    assert list(coder.tables()) == ["predictors"]
    round_trip(coder, np.stack(samples))


def test_a_dataset_of_differing_sizes_is_fitted() -> None:
    coder = ZstdCoder.fit([skewed(3, 4 + n, 9) for n in range(20)])
    round_trip(coder, skewed(2, 3, 30, 5))


def test_nothing_cannot_be_fitted() -> None:
    with pytest.raises(CoderError, match="no samples"):
        ZstdCoder.fit([])


def decode_hostile(coder: ZstdCoder, buffer: bytes, segments: np.ndarray, shape: tuple[int, ...]) -> None:
    """Wrong data are the checksum's business; any error but a `CoderError`, or a crash, fails the test."""
    with suppress(CoderError):
        coder.decode(buffer, segments, np.empty(shape, np.int8))


@settings(max_examples=300)
@given(data=st.data())
def test_hostile_payloads_are_an_error_or_wrong_data(latents: np.ndarray, data: st.DataObject) -> None:
    coder = ZstdCoder(MIXED)
    payloads = coder.encode(latents)
    victim = data.draw(st.integers(0, len(payloads) - 1))
    good = payloads[victim]
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        bad[data.draw(st.integers(0, len(bad) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    for payload in (bytes(bad), good[: data.draw(st.integers(0, len(good) - 1))], data.draw(st.binary(max_size=64))):
        buffer, segments = pack([*payloads[:victim], payload, *payloads[victim + 1 :]])
        decode_hostile(coder, buffer, segments, latents.shape)
        others = np.delete(latents, victim, 0)
        out = np.empty_like(others)
        coder.decode(buffer, np.delete(segments, victim, 0), out)
        np.testing.assert_array_equal(out, others)


@pytest.mark.parametrize("payload", [b"", b"\0", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18\x01\0\0\0x", b"x" * 100])
def test_what_is_no_frame_is_refused(payload: bytes, latents: np.ndarray) -> None:
    with pytest.raises(CoderError, match="payload"):
        ZstdCoder(MIXED).decode(*pack([payload]), np.empty((1, *latents.shape[1:]), np.int8))


@pytest.mark.parametrize("space", [(8, 7), (10, 7), (9, 7, 2), (1,)])
def test_a_frame_of_another_size_is_refused(space: tuple[int, ...], latents: np.ndarray) -> None:
    coder = ZstdCoder(MIXED)
    buffer, segments = pack(coder.encode(latents))
    with pytest.raises(CoderError, match="payload"):
        coder.decode(buffer, segments, np.empty((8, 5, *space), np.int8))


END = 2**64


@pytest.mark.parametrize(
    "segment",
    [
        (0, END - 1),
        (END - 1, 1),
        (END - 1, 2),
        (END - 4096, 4200),
        (END // 2, END // 2 + 9),
        (60, 50),
        (101, 0),
        (100, 1),
    ],
)
def test_segments_out_of_the_buffer_are_refused(segment: tuple[int, int], latents: np.ndarray) -> None:
    with pytest.raises(CoderError, match="outside of the 100 bytes"):
        ZstdCoder(MIXED).decode(bytes(100), np.array([segment], np.uint64), np.empty((1, *latents.shape[1:]), np.int8))


def test_as_many_segments_as_samples_are_needed(latents: np.ndarray) -> None:
    coder = ZstdCoder(MIXED)
    buffer, segments = pack(coder.encode(latents))
    for wrong in (segments[:-1], segments[:0], np.concatenate([segments, segments]), segments.ravel()):
        with pytest.raises(CoderError, match="8 samples need as many segments"):
            coder.decode(buffer, wrong, np.empty_like(latents))


def test_an_array_that_cannot_be_decoded_to_is_refused(latents: np.ndarray) -> None:
    coder = ZstdCoder(MIXED)
    buffer, segments = pack(coder.encode(latents))
    with pytest.raises(CoderError, match="C-contiguous"):
        coder.decode(buffer, segments, np.empty((8, 5, 9, 14), np.int8)[..., ::2])


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((2, 6, 3, 3), np.int8),
        np.zeros((2, 5), np.int8),
        np.zeros((2, 5, 1, 1, 1, 1), np.int8),
        np.zeros((2, 5, 3, 3), np.uint8),
        np.zeros((2, 5, 3, 3), np.float32),
    ],
)
def test_other_latents_are_refused(x: np.ndarray) -> None:
    coder = ZstdCoder(MIXED)
    with pytest.raises(CoderError, match=r"takes int8 \[N, 5, 1 to 3 space dims\]"):
        coder.encode(x)
    with pytest.raises(CoderError, match=r"takes int8 \[N, 5, 1 to 3 space dims\]"):
        coder.decode(b"", np.zeros((2, 2), np.uint64), x)


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {"dictionary": np.zeros(100, np.uint8)},
        {"predictors": np.zeros(0, np.uint8)},
        {"predictors": np.zeros((2, 2), np.uint8)},
        {"predictors": np.zeros(5, np.int64)},
        {"predictors": np.zeros(5, np.float32)},
        {"predictors": np.array([0, 5], np.uint8)},
        {"predictors": np.array([255], np.uint8)},
        {"predictors": MIXED, "dictionary": np.zeros(100, np.int8)},
        {"predictors": MIXED, "dictionary": np.zeros(2**24 + 1, np.uint8)},
    ],
)
def test_hostile_tables_are_refused(tables: dict[str, np.ndarray]) -> None:
    with pytest.raises(CoderError, match="zstd tables"):
        ZstdCoder.from_tables(tables)


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_dictionary_is_an_error_or_wrong_data(data: st.DataObject) -> None:
    samples = small_alike(100)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    dictionary = data.draw(
        st.one_of(
            st.binary(min_size=1, max_size=40), st.binary(max_size=99).map(lambda tail: b"\x37\xa4\x30\xec" + tail)
        )
    )
    fitted = TRAINED.dictionary
    whole = bytearray(fitted)
    for place in rng.integers(0, len(whole), 3):
        whole[place] ^= 1 << int(rng.integers(0, 8))
    x = np.stack(samples[:3])
    buffer, segments = pack(TRAINED.encode(x))
    for hostile in (dictionary, bytes(whole), fitted[: int(rng.integers(1, len(fitted)))]):
        tables = {"predictors": TRAINED.predictors, "dictionary": np.frombuffer(hostile, np.uint8)}
        coder = ZstdCoder.from_tables(tables)
        decode_hostile(coder, buffer, segments, x.shape)
        assert coder.dictionary == hostile


def test_pickles_before_and_after_use() -> None:
    x = np.stack(small_alike(5))
    copy = pickle.loads(pickle.dumps(TRAINED))
    payloads = round_trip(copy, x)
    again = pickle.loads(pickle.dumps(copy))
    assert round_trip(again, x) == payloads == TRAINED.encode(x)
    assert again.dictionary == TRAINED.dictionary


def test_threads_may_share_a_coder() -> None:
    x = np.stack(small_alike(200))
    expected = TRAINED.encode(x)
    buffer, segments = pack(expected)

    def both_ways(_: int) -> bool:
        out = np.empty_like(x)
        TRAINED.decode(buffer, segments, out)
        return np.array_equal(out, x) and TRAINED.encode(x) == expected

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(both_ways, range(60)))
