"""Prediction is reversible, modulo 256, and is what its table says."""

from itertools import product
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from walloc_data.entropy.prediction import PREDICTORS, choose_predictors, from_residuals, planes, to_residuals

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 6)).flatmap(
    lambda head: st.lists(st.integers(1, 6), min_size=1, max_size=3).map(lambda space: (*head, *space))
)
VALUES = st.one_of(st.integers(-128, 127), st.sampled_from([-128, -127, 0, 126, 127]))
LATENTS = SHAPES.flatmap(lambda shape: arrays(np.int8, shape, elements=VALUES))


def prediction(x: np.ndarray, predictor: int, place: tuple[int, int, int]) -> int:
    """By the table, for one latent of one channel `[depth, rows, columns]`, in Python's unbounded integers."""
    plane, row, column = place
    if PREDICTORS[predictor] == "none":
        return 0
    if PREDICTORS[predictor] == "back":
        return int(x[plane - 1, row, column]) if plane else 0
    if row == column == 0:
        return 0
    n = int(x[plane, row - 1, column]) if row else None
    w = int(x[plane, row, column - 1]) if column else n
    n = w if n is None else n
    nw = int(x[plane, row - 1, column - 1]) if row and column else n if row else w
    if PREDICTORS[predictor] == "left":
        return w
    return (w + n) // 2 if PREDICTORS[predictor] == "mean" else int(median((w, n, w + n - nw)))


@settings(max_examples=150)
@given(x=LATENTS, data=st.data())
def test_residuals_are_those_of_the_table(x: np.ndarray, data: st.DataObject) -> None:
    channels = st.lists(st.integers(0, len(PREDICTORS) - 1), min_size=x.shape[1], max_size=x.shape[1])
    predictors = np.array(data.draw(channels), np.uint8)
    before = x.copy()
    residuals = to_residuals(x, predictors)
    np.testing.assert_array_equal(x, before)
    assert residuals.shape == x.shape
    assert residuals.dtype == np.int8
    latents, found = planes(x), planes(residuals)
    for sample, channel, *place in product(*map(range, latents.shape)):
        expected = int(latents[(sample, channel, *place)]) - prediction(
            latents[sample, channel], predictors[channel], tuple(place)
        )
        assert int(found[(sample, channel, *place)]) % 256 == expected % 256


@settings(max_examples=300)
@given(x=LATENTS, data=st.data())
def test_undoing_gives_the_latents_back(x: np.ndarray, data: st.DataObject) -> None:
    channels = st.lists(st.integers(0, len(PREDICTORS) - 1), min_size=x.shape[1], max_size=x.shape[1])
    predictors = np.array(data.draw(channels), np.uint8)
    residuals = to_residuals(x, predictors)
    from_residuals(residuals, predictors)
    np.testing.assert_array_equal(residuals, x)


@pytest.mark.parametrize("predictor", range(len(PREDICTORS)))
@pytest.mark.parametrize("space", [(97,), (31, 18), (5, 12, 9)])
def test_extremes_and_noise_at_length(predictor: int, space: tuple[int, ...]) -> None:
    rng = np.random.default_rng(predictor)
    noise = rng.integers(-128, 128, (2, 3, *space)).astype(np.int8)
    extremes = rng.choice(np.array([-128, 127], np.int8), (2, 3, *space))
    for x in (noise, extremes, np.full_like(noise, -128), np.ascontiguousarray(noise[..., ::-1])):
        predictors = np.full(3, predictor, np.uint8)
        residuals = to_residuals(x, predictors)
        from_residuals(residuals, predictors)
        np.testing.assert_array_equal(residuals, x)


@pytest.mark.parametrize("predictor", range(len(PREDICTORS)))
@pytest.mark.parametrize(
    "space", [(97,), (31, 18), (1, 40), (40, 1), (8, 8), (17, 24), (130, 128), (3, 12, 9), (2, 4, 6)]
)
def test_many_samples_are_undone_as_each_alone(predictor: int, space: tuple[int, ...]) -> None:
    residuals = np.random.default_rng(predictor).integers(-128, 128, (71, 2, *space)).astype(np.int8)
    predictors = np.array([predictor, 0], np.uint8)
    together = residuals.copy()
    from_residuals(together, predictors)
    for number in (0, 5, 31, 32, 63, 64, 68, 70):
        alone = residuals[number : number + 1].copy()
        from_residuals(alone, predictors)
        assert (alone[0] == together[number]).all()
    assert (to_residuals(together, predictors) == residuals).all()


@pytest.mark.parametrize("offset", [0, 1, 4, 8])
def test_memory_may_begin_anywhere(offset: int) -> None:
    residuals = np.random.default_rng(offset).integers(-128, 128, (40, 2, 4, 8)).astype(np.int8)
    predictors = np.array([3, 2], np.uint8)
    memory = np.zeros(residuals.size + 8, np.int8)
    elsewhere = memory[offset : offset + residuals.size].reshape(residuals.shape)
    elsewhere[...] = residuals
    from_residuals(elsewhere, predictors)
    np.testing.assert_array_equal(to_residuals(elsewhere, predictors), residuals)


def test_a_view_has_the_residuals_of_its_copy() -> None:
    x = np.random.default_rng(0).integers(-128, 128, (4, 6, 8, 8)).astype(np.int8)[::2, ::-1, 1:, ::2]
    predictors = np.array([3, 0, 1, 2, 3, 4], np.uint8)
    np.testing.assert_array_equal(to_residuals(x, predictors), to_residuals(x.copy(), predictors))


@pytest.mark.parametrize("shape", [(0, 2, 4, 4), (2, 2, 0, 9), (2, 2, 9, 0), (1, 2, 0)])
def test_nothing_is_predicted_from_nothing(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape, np.int8)
    predictors = np.array([3, 1], np.uint8)
    assert to_residuals(x, predictors).shape == shape
    from_residuals(x, predictors)
    assert x.shape == shape


def test_the_predictor_of_each_channel_is_the_one_that_pays() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 9, (40, 24, 24)).round()
    rows = np.cumsum(rng.integers(-2, 3, (40, 24, 24)), 2)
    surface = np.cumsum(np.cumsum(rng.normal(0, 1, (40, 24, 24)), 1), 2)
    flat = np.full_like(noise, 5)
    samples = [np.stack(channels) for channels in zip(noise, rows, surface, flat, strict=True)]
    chosen = choose_predictors([sample.clip(-128, 127).astype(np.int8) for sample in samples])
    assert chosen.dtype == np.uint8
    assert [PREDICTORS[p] for p in chosen] == ["none", "left", "med", "none"]


def test_planes_that_repeat_are_predicted_from_the_one_before() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(-100, 100, (1, 1, 20, 20))
    video = np.cumsum(np.concatenate([picture, rng.integers(-1, 2, (1, 9, 20, 20))], 1), 1)
    assert [PREDICTORS[p] for p in choose_predictors([video.clip(-128, 127).astype(np.int8)])] == ["back"]


def test_the_choice_does_not_depend_on_the_kind_of_array() -> None:
    rng = np.random.default_rng(1)
    samples = [np.cumsum(rng.integers(-3, 4, (3, 16, 16)), 1).astype(np.int8) for _ in range(5)]
    views = [np.asfortranarray(sample)[:, :, :] for sample in samples]
    np.testing.assert_array_equal(choose_predictors(samples), choose_predictors(views))
