"""`where`: which samples there are, at both doors: counts, order, resume, ranks, and what it costs."""

import json
import pickle
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from tests.http_server import FileServer
from tests.synthetic import sharded
from tests.test_streaming import damage
from walloc_data import LatentDataset, StorageOptions, StreamingLatentDataset, load_codec
from walloc_data.errors import DatasetError, FormatError
from walloc_data.order import FilteredOrder
from walloc_data.read.where import parse_where

COUNT = 203
SCORES = np.random.default_rng(1).random(COUNT).astype(np.float32)
LABELS = np.random.default_rng(2).integers(0, 7, COUNT).astype(np.int32)
EXPRESSION = "label in (1, 5) and score > 0.5"
WANTED = [i for i in range(COUNT) if LABELS[i] in (1, 5) and SCORES[i] > 0.5]
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    codec = load_codec("rgb-f8c12")
    columns = {
        "label": LABELS,
        "score": SCORES,
        "number": np.arange(COUNT),
        "caption": [f"a {'cat' if i % 3 else 'dog'}" for i in range(COUNT)],
        "tags": np.arange(COUNT)[:, None] % np.array([2, 3]) == 0,
        "year": [None if i % 4 else 1990 + i for i in range(COUNT)],
    }
    return sharded(tmp_path_factory.mktemp("scored") / "out", codec, columns, (32, 32), shard_samples=50)


def stream(root, *, batch_size=4, where=EXPRESSION, **options):
    return StreamingLatentDataset(
        root, batch_size=batch_size, where=where, columns=("number",), **{"seed": 3, **options}
    )


def numbers(batches):
    return [number for batch in batches for number in batch[1].tolist()]


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        (EXPRESSION, lambda i: i in WANTED),
        ("label == 3", lambda i: LABELS[i] == 3),
        ("0.25 <= score < .5 or not label != 2", lambda i: 0.25 <= SCORES[i] < 0.5 or LABELS[i] == 2),
        ("'cat' in caption", lambda i: i % 3 > 0),
        ("caption not in ['a cat', 'b']", lambda i: i % 3 == 0),
        ("tags[1]", lambda i: i % 3 == 0),
        ("not tags[0] and tags[-1] == True", lambda i: i % 2 and i % 3 == 0),
        ("year is None", lambda i: i % 4),
        ("year > 2000", lambda i: i % 4 == 0 and 1990 + i > 2000),
        ("number > -1", lambda _: True),
        (lambda fields: fields["number"] % 10 == fields["label"], lambda i: i % 10 == LABELS[i]),
    ],
)
def test_both_doors_keep_what_it_holds_of(scored, expression, holds):
    expected = [i for i in range(COUNT) if holds(i)]
    dataset = LatentDataset(scored, where=expression, columns=("number",))
    whole = LatentDataset(scored)
    assert len(dataset) == len(expected)
    assert [int(number) for _, number in dataset] == expected
    assert dataset.targets == [whole.targets[i] for i in expected]
    for i in (0, len(dataset) // 2, -1):
        assert torch.equal(dataset[i][0], whole[expected[i]][0])
        assert dataset.fields(i) == whole.fields(expected[i])
    one = stream(scored, where=expression)
    assert sorted(numbers(one)) == expected
    assert numbers(stream(scored, where=expression, shuffle=False)) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "label.__class__",
        "label + 1 == 2",
        "label in range(3)",
        "[x for x in label]",
        "lambda: label",
        "label := 3",
        "label == 3; score",
        "label = 3",
        "",
        "(" * 500 + "label" + ")" * 500,
        "score[label] == 1",
        "label in {**{}}",
        "f'{label}' == '1'",
        "label == 1 if score else 2",
        "x" * 20_000,
        "label ==\0 1",
        3,
    ],
)
def test_what_is_no_comparison(expression):
    with pytest.raises(DatasetError, match=r"^where"):
        parse_where(expression)


def test_what_cannot_be_said_of_the_columns(scored):
    for where, message in (
        ("lable == 3", "no column lable: there are caption, key, label, number, original_size, score, size"),
        ("caption > 3", r"cannot be said of caption='a dog'"),
        ("tags[9]", "cannot be said of tags"),
        ("label == 99", "keeps none of the 203 samples$"),
    ):
        for make in (LatentDataset, stream):
            with pytest.raises(DatasetError, match=message):
                make(scored, where=where)


def test_names_of_classes_are_numbers_in_columns(dataset):
    for where, message in (
        ("label == 'flower'", "'label' holds the numbers of classes, and 'flower' is 2: compare it with 2 "),
        ("key != 'a' and label not in (1, 'sky')", "no class is called 'sky': compare it with its number"),
        ("'cat' != label", "no class is called 'cat'"),
    ):
        with pytest.raises(DatasetError, match=message):
            LatentDataset(dataset, where=where)
    assert LatentDataset(dataset, where="key != 'flower' and label == 2").classes[2] == "flower"


def test_a_dataset_of_a_mixture_of_which_nothing_is_kept_is_named(scored, dataset):
    with pytest.raises(DatasetError, match=f"keeps none of the samples of {scored}$"):
        StreamingLatentDataset(
            {dataset: 1, scored: 1}, batch_size=4, where="key != '' and label == 0 and key > 't'", columns=()
        )


def test_a_label_that_is_not_there_is_minus_one(ragged_dataset):
    assert len(LatentDataset(ragged_dataset, where="label == -1")) == 12
    assert len(LatentDataset(ragged_dataset, where=lambda fields: fields["label"] == -1)) == 12


@pytest.mark.parametrize("workers", [0, 2])
def test_one_order_for_all_workers_and_ranks_and_an_exact_resume(scored, workers):
    one = stream(scored)
    order = [numbers(one), numbers(one)]
    assert order[0] != order[1]
    assert sorted(order[0]) == sorted(order[1]) == WANTED
    assert len(one) == -(-len(WANTED) // 4)
    loader = stream(scored).loader(num_workers=workers)
    assert [numbers(loader), numbers(loader)] == order
    for first in (0, 2, len(one) - 1):
        loader = stream(scored).loader(num_workers=workers)
        got = [number for _, batch in zip(range(first), loader, strict=False) for number in batch[1].tolist()]
        state = json.loads(json.dumps(loader.state_dict()))
        again = stream(scored).loader(num_workers=2 - workers)
        again.load_state_dict(state)
        assert got + numbers(again) == order[0]
    ranks = [list(stream(scored, rank=rank, world_size=3)) for rank in range(3)]
    assert len({len(steps) for steps in ranks}) == 1
    dealt = [number for steps in zip(*ranks, strict=True) for _, part in steps for number in part.tolist()]
    assert dealt == numbers(stream(scored, batch_size=12))
    assert numbers(pickle.loads(pickle.dumps(stream(scored)))) == order[0]


def test_a_state_of_another_filter_is_refused(scored):
    state = stream(scored).state_dict()
    stream(scored, where=lambda fields: fields["number"] in WANTED).load_state_dict(state)
    for other in ("label in (1, 5)", None):
        with pytest.raises(DatasetError, match="state is of another run"):
            stream(scored, where=other).load_state_dict(state)
    whole = stream(scored, where=None).state_dict()
    del whole["order"]["where"]  # as it was before there were filters
    stream(scored, where=None).load_state_dict(whole)


def test_workers_of_map_style(scored):
    loader = DataLoader(LatentDataset(scored, where=EXPRESSION, columns=("number",)), batch_size=5, num_workers=2)
    assert numbers(loader) == WANTED


def test_mixtures_are_filtered_each(scored):
    one = StreamingLatentDataset(
        {scored: 1, str(scored): 3}, batch_size=16, where=EXPRESSION, columns=("number",), epoch_samples=4096
    )
    assert set(numbers(one)) == set(WANTED)


def test_damaged_columns_stop_or_leave_out_their_record(copy):
    damage(copy)
    for make in (
        lambda: LatentDataset(copy, where="label >= 0"),
        lambda: StreamingLatentDataset(copy, batch_size=4, where="label >= 0"),
    ):
        with pytest.raises(FormatError, match=r"train-00000\.tar, record at byte"):
            make()
    one = StreamingLatentDataset(copy, batch_size=4, where="label >= 0", on_damage="skip")
    assert sum(len(y) for _, y in one) == 52


def test_remote_columns_are_read_without_payloads(tmp_path):
    codec = load_codec("rgb-f8c12")
    labels = {"label": np.arange(64) % 4}
    out = sharded(tmp_path / "out", codec, labels, (256, 256), block=32, shard_samples=64)
    size = (out / "train-00000.tar").stat().st_size
    with FileServer(out) as server:
        options = StorageOptions(cache_dir=tmp_path / "cache")
        dataset = LatentDataset(server.url, where="label == 3", storage=options)
        assert len(dataset) == 16
        assert server.counts["train-00000.tar"] == 4  # two records, two requests each
        assert sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file()) < size / 4
        assert [y for _, y in dataset] == [3] * 16
        before = server.requests
        assert LatentDataset(server.url, where="label == 3", storage=options).targets == [3] * 16
        assert server.requests == before


@settings(max_examples=60, deadline=None)
@given(
    runs=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    window=st.integers(1, 60),
    shuffle=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_stretch_is_computed_from_its_place(runs, window, shuffle, seed):
    order = FilteredOrder(runs, seed=seed, shuffle=shuffle, window=window)
    length = sum(runs)
    whole = order.samples(0, 3 * length).tolist()
    for epoch in range(3):
        assert sorted(whole[epoch * length : (epoch + 1) * length]) == list(range(length))
    rng = random.Random(seed)
    fresh = pickle.loads(pickle.dumps(order))
    for _ in range(5):
        start, stop = sorted(rng.choices(range(3 * length + 1), k=2))
        assert fresh.samples(start, stop).tolist() == whole[start:stop]
