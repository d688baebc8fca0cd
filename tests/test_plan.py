from dataclasses import replace
from pathlib import Path

import pytest

from walloc_data import ImageReader, Options
from walloc_data.errors import DatasetError
from walloc_data.sources import Item
from walloc_data.write.plan import coder_sample, identity, plan_shards


def source(train=100, val=10, classes=("a", "b")):
    splits = {"train": train, "val": val}
    items = {split: [Item(f"{split}/{i:04d}.jpg", i % 2) for i in range(n)] for split, n in splits.items()}
    return ImageFolder(Path("root"), items, list(classes))


def test_every_sample_is_in_one_shard_of_its_split():
    tasks = plan_shards(source(), Options(shard_samples=16, block=8))
    assert [task.name for task in tasks] == [f"train-{i:05d}" for i in range(7)] + ["val-00000"]
    assert [len(task.items) for task in tasks] == [16] * 6 + [4, 10]
    for split, items in source().splits.items():
        planned = [item for task in tasks if task.split == split for item in task.items]
        assert planned != items
        assert sorted(planned, key=lambda item: item.key) == items


def test_the_shuffle_is_of_the_seed_and_the_split_alone():
    tasks = plan_shards(source(), Options(seed=3))
    assert tasks == plan_shards(source(), Options(seed=3))
    assert tasks != plan_shards(source(), Options(seed=4))
    assert tasks[-1] == plan_shards(source(train=7), Options(seed=3))[-1]
    assert plan_shards(source(), Options(shuffle=False))[0].items == source().splits["train"]


def test_a_limit_is_of_each_split():
    tasks = plan_shards(source(), Options(limit=12))
    assert [len(task.items) for task in tasks] == [12, 10]


@pytest.mark.parametrize(("samples", "shards"), [(1, 1), (256, 1), (257, 2), (10_000, 16), (200_000, 25)])
def test_shards_are_few_but_enough_for_workers(samples, shards):
    tasks = plan_shards(source(train=samples, val=0), Options())
    assert len(tasks) == shards
    assert all(len(task.items) % 64 == 0 for task in tasks[:-1])


def test_the_coder_is_fitted_to_samples_of_the_whole_first_split():
    tasks = plan_shards(source(train=1000), Options(shard_samples=100))
    chosen = coder_sample(tasks)
    assert len(chosen) == len({item.key for item in chosen}) == 100
    assert {item.key.split("/")[0] for item in chosen} == {"train"}
    assert all(any(item in task.items for item in chosen) for task in tasks[:-1])
    assert len(coder_sample(plan_shards(source(train=20), Options()))) == 20
    assert len(coder_sample(plan_shards(source(train=9000), Options()))) == 512


def test_whatever_changes_bytes_changes_the_identity():
    options, reader = Options(shard_samples=16), ImageReader()

    def of(one=None, options=options, reader=reader, fingerprint="f"):
        one = one or source()
        return identity(plan_shards(one, options), one.classes, reader, fingerprint, options)

    changed = [
        of(source(train=99)),
        of(source(classes=("a", "c"))),
        of(ImageFolder(Path("root"), {"train": source().splits["train"]}, ["a", "b"])),
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
    one = ImageFolder(Path("root"), {"train": [Item("caf\udce9.jpg", 0)]}, ["caf\udce9"])
    tasks = plan_shards(one, Options())
    assert len(identity(tasks, one.classes, ImageReader(), "f", Options())) == 16


@pytest.mark.parametrize(
    "options",
    [{"block": 0}, {"block": 4097}, {"layout": "x"}, {"shard_samples": 0}, {"limit": 0}, {"limit": -1}],
    ids=str,
)
def test_unusable_options_are_refused(options):
    with pytest.raises(DatasetError):
        Options(**options)
