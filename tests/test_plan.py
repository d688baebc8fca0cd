from dataclasses import replace
from pathlib import Path

import pytest

from walloc_data import ImageReader, Options
from walloc_data.errors import DatasetError, SourceError
from walloc_data.sources import Files, Source
from walloc_data.write.plan import check_keys, coder_sample, identity, plan_shards


def source(train=100, val=10, classes=("a", "b")):
    splits = {
        split: Files(Path("root"), [f"{split}/{i:04d}.jpg" for i in range(n)], {"label": [i % 2 for i in range(n)]})
        for split, n in {"train": train, "val": val}.items()
    }
    return Source("root", splits, {"label": list(classes)})


def plan(options=None, **lengths):
    return plan_shards(lengths or {"train": 100, "val": 10}, options or Options())


def test_every_sample_is_in_one_shard_of_its_split():
    tasks = plan(Options(shard_samples=16, block=8))
    assert [task.name for task in tasks] == [f"train-{i:05d}" for i in range(7)] + ["val-00000"]
    assert [len(task) for task in tasks] == [16] * 6 + [4, 10]
    for split, length in (("train", 100), ("val", 10)):
        planned = [index for task in tasks if task.split == split for index in task.indices]
        assert planned != list(range(length))
        assert sorted(planned) == list(range(length))


def test_the_shuffle_is_of_the_seed_and_the_split_alone():
    tasks = plan(Options(seed=3))
    assert tasks == plan(Options(seed=3))
    assert tasks != plan(Options(seed=4))
    assert tasks[-1] == plan(Options(seed=3), train=7, val=10)[-1]
    assert list(plan(Options(shuffle=False))[0].indices) == list(range(100))


def test_a_limit_is_of_each_split():
    assert [len(task) for task in plan(Options(limit=12))] == [12, 10]


@pytest.mark.parametrize(("samples", "shards"), [(1, 1), (256, 1), (257, 2), (10_000, 16), (200_000, 25)])
def test_shards_are_few_but_enough_for_workers(samples, shards):
    tasks = plan(train=samples)
    assert len(tasks) == shards
    assert all(len(task) % 64 == 0 for task in tasks[:-1])


def test_the_coder_is_fitted_to_samples_of_all_shards_and_splits():
    tasks = plan(Options(shard_samples=100), train=1000, val=40)
    count, samples = coder_sample(tasks)
    order = list(samples)
    assert count == 104
    assert len(order) == len(set(order)) == 1040  # those behind the first are for when one cannot be read
    assert {split for split, _ in order[:count]} == {"train", "val"}
    assert all(any((task.split, index) in order[:count] for index in task.indices) for task in tasks)
    assert coder_sample(plan(train=20))[0] == 20
    assert coder_sample(plan(train=9000))[0] == 512


def test_two_samples_of_one_key_are_refused():
    files = Files(Path("root"), ["a.jpg", "b.jpg"])
    with pytest.raises(SourceError, match=r"two samples are called 'a.jpg' \(the second in val\)"):
        check_keys(Source("root", {"train": files, "val": Files(Path("root"), ["c.jpg", "a.jpg"])}))


def test_whatever_changes_bytes_changes_the_identity():
    options, reader = Options(shard_samples=16), ImageReader()

    def of(one=None, options=options, reader=reader, fingerprint="f"):
        return identity(one or source(), reader, fingerprint, options)

    changed = [
        of(source(train=99)),
        of(source(classes=("a", "c"))),
        of(Source("root", {"train": source().splits["train"]}, {"label": ["a", "b"]})),
        of(replace(source(), classes={"other": ["a", "b"]})),
        of(Source("root", {"train": Files(Path("root"), ["train/0000.jpg"], {"label": [1]})})),
        of(Source("root", {"train": Files(Path("root"), ["train/0000.jpg"], {"label": [0]})})),
        of(fingerprint="g"),
        of(reader=ImageReader(size=64)),
        of(reader=ImageReader(max_pixels=5)),
        *(
            of(options=replace(options, **change))
            for change in (
                {"seed": 1},
                {"block": 8},
                {"shard_samples": 32},
                {"shuffle": False},
                {"limit": 99},
                {"layout": "samples"},
            )
        ),
    ]
    assert len({of(), *changed}) == 1 + len(changed)
    assert of() == of()


def test_names_that_are_no_utf8_have_an_identity():
    one = Source("root", {"train": Files(Path("root"), ["caf\udce9.jpg"])}, {"label": ["caf\udce9"]})
    assert len(identity(one, ImageReader(), "f", Options())) == 16


def test_the_manifest_holds_what_differs_from_the_defaults_of_options_that_came_later():
    assert "columns" not in Options().config()
    assert Options(columns=("a",)).config()["columns"] == ("a",)
    with pytest.raises(DatasetError, match="columns are several"):
        Options(columns="label")


@pytest.mark.parametrize(
    "options",
    [{"block": 0}, {"block": 4097}, {"layout": "x"}, {"shard_samples": 0}, {"limit": 0}, {"limit": -1}],
    ids=str,
)
def test_unusable_options_are_refused(options):
    with pytest.raises(DatasetError):
        Options(**options)
