"""The coder `rans`: what goes in comes out, as its twin says, and nothing hostile gets far."""

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.entropy import rans_twin as twin
from walloc_data.entropy.rans import RansCoder
from walloc_data.errors import CoderError

SETTINGS = settings(max_examples=60, suppress_health_check=list(HealthCheck))
Latents = NDArray[np.int8]


def segments_of(payloads: list[bytes]) -> tuple[bytes, NDArray[np.uint64]]:
    lengths = np.array([len(payload) for payload in payloads], np.uint64)
    offsets = np.cumsum(lengths, dtype=np.uint64) - lengths
    return b"".join(payloads), np.stack([offsets, lengths], 1)


def decoded(coder: RansCoder, payloads: list[bytes], shape: tuple[int, ...]) -> Latents:
    out = np.full((len(payloads), *shape), 77, np.int8)
    coder.decode(*segments_of(payloads), out)
    return out


def photographic(shape: tuple[int, ...], seed: int = 0, scale: float = 2.0) -> Latents:
    """Latents `[N, c, *space]` with what the model looks for: smooth first channels, and edges all share."""
    rng = np.random.default_rng(seed)
    space = tuple(range(2, len(shape)))
    edges = np.exp(rng.normal(size=(shape[0], 1, *shape[2:])))
    noise = rng.laplace(size=shape) * edges * scale / (1 + np.arange(shape[1])).reshape(-1, *[1] * len(space))
    smooth = noise.copy()
    for axis in space:
        smooth += np.roll(smooth, 1, axis) + np.roll(smooth, 2, axis)
    noise[:, :2] = smooth[:, :2]
    return np.asarray(np.clip(np.round(noise), -128, 127), np.int8)


@pytest.fixture(scope="module", params=[(3, 17, 12), (5, 100), (2, 3, 9, 8)], ids=["image", "audio", "video"])
def fitted(request: pytest.FixtureRequest) -> tuple[RansCoder, tuple[int, ...]]:
    shape = request.param
    return RansCoder.fit(list(photographic((12, *shape)))), shape


KINDS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Any]] = {
    "laplace": lambda rng, shape: np.clip(rng.laplace(size=shape) * 4, -128, 127),
    "wide": lambda rng, shape: np.clip(rng.normal(size=shape) * 60, -128, 127),
    "noise": lambda rng, shape: rng.integers(-128, 128, shape),
    "zeros": lambda rng, shape: np.zeros(shape),
    "lowest": lambda rng, shape: np.full(shape, -128),
    "highest": lambda rng, shape: np.full(shape, 127),
    "extremes": lambda rng, shape: rng.choice([-128, 127], shape),
    "sparse": lambda rng, shape: (rng.random(shape) < 0.02) * rng.integers(-128, 128, shape),
}


@st.composite
def batches(draw: st.DrawFn, most: int = 4000) -> Latents:
    dims = draw(st.integers(1, 3))
    channels = draw(st.sampled_from([1, 2, 3, 7, 12, 50]))
    space = tuple(draw(st.integers(1, (700, 40, 12)[dims - 1])) for _ in range(dims))
    samples = draw(st.integers(1, 5))
    shape = (samples, channels, *space)
    while np.prod(shape) > most * 10 and samples > 1:
        samples -= 1
        shape = (samples, channels, *space)
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    return np.asarray(KINDS[draw(st.sampled_from(sorted(KINDS)))](rng, shape).astype(np.int8), np.int8)


@SETTINGS
@given(batches(), st.booleans())
def test_what_goes_in_comes_out(latents: Latents, fit_to_itself: bool) -> None:
    sample = list(latents) if fit_to_itself else list(photographic((2, *latents.shape[1:])))
    coder = RansCoder.from_tables(RansCoder.fit(sample).tables())
    payloads = coder.encode(latents)
    assert all(len(payload) <= latents[0].size for payload in payloads)
    assert (decoded(coder, payloads, latents.shape[1:]) == latents).all()


@settings(SETTINGS, max_examples=40)
@given(batches(most=100), st.booleans())
def test_the_twin_says_the_same(latents: Latents, fit_to_itself: bool) -> None:
    latents = latents[:2, :7, ..., :40]
    sample = latents if fit_to_itself else photographic((4, *latents.shape[1:]))
    coder = RansCoder.fit(list(sample))
    payloads = coder.encode(np.ascontiguousarray(latents))
    for latent, payload in zip(latents, payloads, strict=True):
        assert twin.encode(coder, latent) == payload
        assert (twin.decode(coder, payload, latent.shape) == latent).all()


def test_the_twin_says_the_same_of_what_is_usual(fitted: tuple[RansCoder, tuple[int, ...]]) -> None:
    coder, shape = fitted
    latents = photographic((3, *shape), seed=1)
    payloads = coder.encode(latents)
    assert len(payloads[0]) < 0.9 * latents[0].size
    for latent, payload in zip(latents, payloads, strict=True):
        assert twin.encode(coder, latent) == payload
        assert (twin.decode(coder, payload, latent.shape) == latent).all()


@pytest.mark.parametrize(
    "shape", [(500, 3, 3), (1, 1), (1, 1, 1), (1, 1, 1, 1), (2, 4000), (2, 400, 2), (2, 2, 400), (3, 33, 70)]
)
def test_unusual_shapes(shape: tuple[int, ...]) -> None:
    latents = photographic((3, *shape))
    coder = RansCoder.fit(list(latents))
    assert (decoded(coder, coder.encode(latents), shape) == latents).all()


def test_samples_of_several_shapes_share_tables() -> None:
    sizes = [(3, 16, 16), (3, 20, 9), (3, 5, 31)]
    coder = RansCoder.fit([photographic((1, *size))[0] for size in sizes])
    for size in sizes:
        latents = photographic((4, *size), seed=2)
        assert (decoded(coder, coder.encode(latents), size) == latents).all()


@pytest.mark.parametrize("shape", [(3, 70, 61), (4, 5000), (2, 7, 30, 31), (3, 200, 20)])
def test_bits_by_channel_are_those_of_payloads(shape: tuple[int, ...]) -> None:
    latents = photographic((5, *shape), seed=8)
    coder = RansCoder.fit(list(latents))
    latents[3, 0, ..., ::20] = -128  # escapes
    bits = coder.bits_by_channel(list(latents))
    coded = 8 * sum(len(payload) for payload in coder.encode(latents)) / latents[:, 0].size
    assert bits.shape == (shape[0],)
    assert bits.sum() == pytest.approx(coded, rel=0.01)
    assert bits[0] > bits[-1]


def test_fit_is_deterministic() -> None:
    latents = list(photographic((10, 4, 12, 12)))
    first, second = (RansCoder.fit(latents).tables() for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("fitted_to", ["photographs", "noise"])
def test_white_noise_costs_two_per_cent_at_most(fitted_to: str) -> None:
    """With the tables, as they weigh on 10,000 samples."""
    latents = np.random.default_rng(0).integers(-128, 128, (5, 12, 32, 32)).astype(np.int8)
    coder = RansCoder.fit(list(photographic((4, 12, 32, 32)) if fitted_to == "photographs" else latents))
    tables = sum(table.nbytes for table in coder.tables().values())
    assert sum(map(len, coder.encode(latents))) + 5 * tables / 10_000 <= 1.02 * latents.nbytes


@pytest.mark.parametrize("value", [-128, -1, 0, 127])
def test_a_constant_costs_next_to_nothing(value: int) -> None:
    latents = np.full((3, 3, 40, 40), value, np.int8)
    coder = RansCoder.fit([latents[0]])  # one sample
    payloads = coder.encode(latents)
    assert (decoded(coder, payloads, latents.shape[1:]) == latents).all()
    assert max(map(len, payloads)) < 250


@settings(SETTINGS, max_examples=20)
@given(st.integers(1, 500), st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 1 << 30))
def test_any_number_of_channels(channels: int, space: list[int], seed: int) -> None:
    latents = photographic((3, channels, *space), seed, scale=20.0)
    coder = RansCoder.fit(list(latents[:2]))
    assert (decoded(coder, coder.encode(latents), latents.shape[1:]) == latents).all()


def test_payloads_of_other_tables_and_for_another_shape_are_refused() -> None:
    coder = RansCoder.fit(list(photographic((8, 3, 16, 16))))
    other = RansCoder.fit(list(photographic((8, 3, 16, 16), seed=1, scale=9.0)))
    buffer, segments = segments_of(coder.encode(photographic((4, 3, 16, 16), seed=2)))
    for wrong, shape in ((other, (3, 16, 16)), (coder, (3, 16, 15)), (coder, (3, 17, 16)), (coder, (3, 32, 8))):
        for number in range(4):
            with pytest.raises(CoderError, match="made with other tables or for another shape"):
                wrong.decode(buffer, segments[number : number + 1], np.empty((1, *shape), np.int8))


def test_pickles_and_is_shared_by_threads_that_differ_in_shape() -> None:
    coder = pickle.loads(pickle.dumps(RansCoder.fit(list(photographic((4, 3, 16, 16))))))

    def both_ways(number: int) -> bool:
        latents = photographic((5, 3, 16, 8 + number % 5), seed=number)
        return bool((decoded(coder, coder.encode(latents), latents.shape[1:]) == latents).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(both_ways, range(60)))


def test_tables_are_small_where_samples_are_few() -> None:
    coder = RansCoder.fit(list(photographic((3, 3, 8, 8))))
    assert sum(table.nbytes for table in coder.tables().values()) < 2500


def test_one_payload_of_many(fitted: tuple[RansCoder, tuple[int, ...]]) -> None:
    coder, shape = fitted
    latents = photographic((7, *shape), seed=3)
    buffer, segments = segments_of(coder.encode(latents))
    order = [5, 0, 5, 3]
    out = np.empty((4, *shape), np.int8)
    coder.decode(memoryview(buffer), segments[order], out)
    assert (out == latents[order]).all()
    coder.decode(b"", segments[:0], out[:0])


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    kind = rng.integers(5)
    if kind == 0:
        return rng.bytes(int(rng.integers(0, 2 * len(data))))
    if kind == 1:
        return data[: rng.integers(len(data))]
    broken = np.frombuffer(data, np.uint8).copy()
    if kind == 2:
        broken[rng.integers(len(broken))] ^= 1 << rng.integers(8)
    elif kind == 3:
        at = rng.integers(len(broken))
        broken[at:] = np.frombuffer(rng.bytes(len(broken) - at), np.uint8)
    else:
        broken[rng.integers(len(broken)) :] = rng.choice([0, 255])
    return bytes(broken.tobytes())


def test_damage_is_noticed_or_decodes_to_something(fitted: tuple[RansCoder, tuple[int, ...]]) -> None:
    coder, shape = fitted
    rng = np.random.default_rng(4)
    latents = photographic((8, *shape), seed=5)
    payloads = coder.encode(latents)
    noticed, count = 0, 1500
    for _ in range(count):
        pair = [damaged(payloads[rng.integers(8)], rng), payloads[rng.integers(8)]]
        data, segments = segments_of(pair)
        guarded = np.full(2 * latents[0].size + 64, 99, np.int8)
        out = guarded[32:-32].reshape(2, *shape)
        message = ""
        try:
            coder.decode(data, segments, out)
        except CoderError as error:
            message = str(error)
        assert not message or "payload 0" in message
        noticed += bool(message)
        assert (guarded[:32] == 99).all()
        assert (guarded[-32:] == 99).all()
    assert noticed > 0.9 * count


def test_the_twin_notices_the_same_damage(fitted: tuple[RansCoder, tuple[int, ...]]) -> None:
    coder, shape = fitted
    rng = np.random.default_rng(6)
    good = coder.encode(photographic((1, *shape)))[0]
    for _ in range(12):
        payload = damaged(good, rng)
        try:
            value = decoded(coder, [payload], shape)
        except CoderError:
            with pytest.raises(ValueError, match=r"."):
                twin.decode(coder, payload, shape)
        else:
            assert (twin.decode(coder, payload, shape) == value[0]).all()


@pytest.mark.parametrize("samples", range(1, 10))
def test_batches_of_any_size_after_damage(fitted: tuple[RansCoder, tuple[int, ...]], samples: int) -> None:
    """Several samples are decoded at a time, in memory that the batch before has left: also one that was damaged."""
    coder, shape = fitted
    latents = photographic((samples, *shape), seed=samples)
    latents[samples // 2] = np.random.default_rng(0).integers(-128, 128, shape)  # stored as it is
    payloads = coder.encode(latents)
    damaged = [payload[:40] + bytes(len(payload) - 40) for payload in payloads]
    with pytest.raises(CoderError, match="damaged"):
        decoded(coder, [damaged[0] if samples > 1 else payloads[0][:-1], *payloads[1:]], shape)
    np.testing.assert_array_equal(decoded(coder, payloads, shape), latents)


@pytest.mark.parametrize("segment", [(0, 1 << 40), (1 << 63, 8), ((1 << 64) - 8, 16), (100_000, 0), (1, 1 << 63)])
def test_segments_beyond_the_buffer(fitted: tuple[RansCoder, tuple[int, ...]], segment: tuple[int, int]) -> None:
    coder, shape = fitted
    with pytest.raises(CoderError, match="beyond"):
        coder.decode(bytes(1000), np.array([segment], np.uint64), np.empty((1, *shape), np.int8))


def test_arrays_that_do_not_fit(fitted: tuple[RansCoder, tuple[int, ...]]) -> None:
    coder, shape = fitted
    good = np.zeros((2, *shape), np.int8)
    wrong: Any
    for wrong in (good.astype(np.int16), good[:, :1], good[0], good[..., :0]):
        with pytest.raises(CoderError):
            coder.encode(wrong)
    buffer, segments = segments_of(coder.encode(good))
    locked = good.copy()
    locked.flags.writeable = False
    for out in (np.zeros((2, *shape, 2), np.int8)[..., 0], locked):
        with pytest.raises(CoderError):
            coder.decode(buffer, segments, out)
    wrong_segments: Any
    for wrong_segments in (segments[:1], segments.astype(np.int64)):
        with pytest.raises(CoderError):
            coder.decode(buffer, wrong_segments, good)
    for samples in ([], [good[0], good[0, :1]], [good[0].astype(np.int32)], [np.zeros((3, 0), np.int8)]):
        with pytest.raises(CoderError):
            RansCoder.fit(samples)


def test_tables_that_lie(fitted: tuple[RansCoder, tuple[int, ...]]) -> None:
    tables = fitted[0].tables()
    channels = len(tables["mean"])

    def altered(name: str, index: Any, value: int) -> dict[str, NDArray[Any]]:
        table = tables[name].copy()
        table[index] = value
        return {**tables, name: table}

    hostile = [{key: table for key, table in tables.items() if key != name} for name in tables]
    hostile += [{**tables, name: table[:-1]} for name, table in tables.items()]
    hostile += [{**tables, name: table.astype(np.float32)} for name, table in tables.items()]
    hostile += [{**tables, name: table[None]} for name, table in tables.items()]
    hostile += [{**tables, name: table[:0]} for name, table in tables.items()]
    hostile += [
        altered("starts", 0, 1),
        altered("starts", -1, 512),
        altered("references", (channels - 1, 0), channels - 1),
        altered("references", (0, 0), 1),
        altered("reaches", 0, 255),
        altered("frequencies", 0, 2048),
        altered("frequencies", slice(None), 40),
    ]
    for wrong in hostile:
        with pytest.raises(CoderError, match="rans tables"):
            RansCoder.from_tables(wrong)


@settings(SETTINGS, max_examples=150)
@given(st.data())
def test_tables_at_random_are_refused_or_safe(fitted: tuple[RansCoder, tuple[int, ...]], data: st.DataObject) -> None:
    coder, shape = fitted
    tables = {name: table.copy() for name, table in coder.tables().items()}
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    for _ in range(3):
        flat = tables[data.draw(st.sampled_from(sorted(tables)))].reshape(-1)
        flat[rng.integers(len(flat))] = rng.integers(np.iinfo(flat.dtype).min, np.iinfo(flat.dtype).max + 1)
    try:
        other = RansCoder.from_tables(tables)
    except CoderError:
        return
    latents = KINDS["wide"](rng, (3, *shape)).astype(np.int8)
    assert (decoded(other, other.encode(latents), shape) == latents).all()
