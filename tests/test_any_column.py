"""Captions, boxes, several labels, scores and masks, from a list to a batch of both doors and to a Trainer."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from tests.photographs import window
from walloc_data import LatentDataset, Options, StreamingLatentDataset
from walloc_data.errors import DatasetError
from walloc_data.format import Manifest

COUNT = 22
NAMES = ("key", "caption", "boxes", "tags", "target", "score", "extra")


def fields(number: int) -> dict[str, Any]:
    """What is known of a photograph; types differ between samples where people's do."""
    return {
        "caption": f"the cat, {number} times 猫",
        "boxes": [[number, 1.5, 2, 3]] * (number % 3),
        "tags": [number % 2, 1, 0, 0],
        "target": number / 4 if number % 2 else number // 4,
        "score": [number, 0.5],
        **({"extra": number} if number > 4 else {}),
    }


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("listed")
    rows = []
    for number in range(COUNT):
        window("chelsea", number, (64, 64)).save(root / f"{number}.jpg")
        rows.append({"file_name": f"{number}.jpg", **fields(number)})
    (root / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root / "list.jsonl"


@pytest.fixture(scope="module")
def many(listed: Path, sharded: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sharded(listed, tmp_path_factory.mktemp("many") / "out", block=4)


def test_types_are_those_of_the_dataset(many: Path) -> None:
    columns = Manifest.read(many).columns
    assert {name: columns[name] for name in NAMES} == {
        "key": "str",
        "caption": "str",
        "boxes": "json",
        "tags": "int64[4]",
        "target": "float64",
        "score": "float64[2]",
        "extra": "json",
    }


def check(batch: Any) -> None:
    x, keys, captions, boxes, tags, targets, scores, extras = batch
    assert (x.dtype, x.shape[1:]) == (torch.int8, (12, 8, 8))
    assert (tags.dtype, targets.dtype, scores.dtype) == (torch.int64, torch.float64, torch.float64)
    assert all(isinstance(values, list | tuple) for values in (keys, captions, boxes))
    for place, key in enumerate(keys):
        number = int(Path(key).stem)
        known = fields(number)
        assert (captions[place], boxes[place]) == (known["caption"], known["boxes"])
        assert extras[place] == known.get("extra")
        assert tags[place].tolist() == known["tags"]
        assert targets[place].item() == known["target"]
        assert scores[place].tolist() == known["score"]


def test_all_arrive_in_a_batch_of_both_doors(many: Path) -> None:
    for size in (1, 4, 9):
        dataset = LatentDataset(many, columns=NAMES)
        for batch in DataLoader(dataset, batch_size=size):
            check(batch)
        for batch in DataLoader(dataset, batch_size=size, collate_fn=LatentDataset.collate):
            check(batch)
        for batch in StreamingLatentDataset(many, batch_size=size, columns=NAMES, seed=2):
            check(batch)
    stored = LatentDataset(many).fields(3)
    assert stored.keys() >= set(NAMES)


def test_only_the_columns_that_are_wanted_are_kept(listed: Path, sharded: Any, tmp_path: Path) -> None:
    out = sharded(listed, tmp_path / "out", columns=("caption", "tags"))
    assert LatentDataset(out).fields(0).keys() == {"caption", "tags", "key", "size", "original_size"}
    with pytest.raises(ValueError, match=r"columns are several: columns=\('caption',\)"):
        Options(columns="caption")


@pytest.mark.parametrize(("label", "target"), [([1, 0], [1, 0]), (None, -1), (1.5, 1.5), ("x", 0)])
def test_labels_of_any_type_and_a_second_run_with_other_options(
    label: Any, target: Any, sharded: Any, tmp_path: Path
) -> None:
    window("chelsea", 0, (64, 64)).save(tmp_path / "a.jpg")
    (tmp_path / "list.jsonl").write_text(json.dumps({"path": "a.jpg", "label": label}))
    out = sharded(tmp_path / "list.jsonl", tmp_path / "out")
    assert LatentDataset(out).targets == [target]
    with pytest.raises(DatasetError, match="size was 64 and is now 32"):
        sharded(tmp_path / "list.jsonl", tmp_path / "out", size=32)


def test_halves_of_characters_are_replaced(sharded: Any, tmp_path: Path) -> None:
    """JSON may hold them, where a caption was cut in the middle of a character."""
    samples = [
        {"image": window("chelsea", 0, (64, 64)), "caption": "x\ud83d", "tags": [{"\ud83d": "\ud83d"}], "\ud83d": 1}
    ]
    fields = LatentDataset(sharded(samples, tmp_path / "out")).fields(0)
    assert (fields["caption"], fields["tags"], fields["\ufffd"]) == ("x\ufffd", [{"\ufffd": "\ufffd"}], 1)


def test_masks_are_kept_as_bytes_and_as_arrays(sharded: Any, tmp_path: Path) -> None:
    images = [window("chelsea", number, (64, 64)) for number in range(5)]
    samples = [
        {"image": image, "mask": image.convert("L").resize((8, 8)), "png": base64.b64encode(bytes([n]))}
        for n, image in enumerate(images)
    ]
    dataset = LatentDataset(sharded(samples, tmp_path / "out"), columns=("mask", "png", "key"))
    for _, mask, png, key in dataset:
        number = int(key)
        assert (mask.dtype, mask.shape) == (torch.uint8, (8, 8))
        assert torch.equal(mask, torch.tensor(list(samples[number]["mask"].tobytes()), dtype=torch.uint8).view(8, 8))
        assert png == samples[number]["png"]


class Model(torch.nn.Module):
    """Several labels and a score from latents."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.seen = torch.nn.Linear(12 * 8 * 8, 5), []

    def forward(self, pixel_values: Tensor, labels: Tensor, target: Tensor) -> dict[str, Tensor]:
        found = self.head(pixel_values.float().flatten(1))
        self.seen += target.tolist()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(found[:, :4], labels.float())
        return {"loss": loss + (found[:, 4] - target.float()).square().mean()}


@pytest.mark.parametrize("door", ["map", "stream"])
def test_a_trainer_of_transformers_takes_dicts(many: Path, tmp_path: Path, door: str) -> None:
    transformers = pytest.importorskip("transformers")
    columns = {"pixel_values": "latents", "labels": "tags", "target": "target"}
    arguments = transformers.TrainingArguments(
        str(tmp_path),
        per_device_train_batch_size=4,
        num_train_epochs=1,
        save_strategy="no",
        logging_strategy="no",
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )

    class StreamTrainer(transformers.Trainer):
        def get_train_dataloader(self) -> Any:
            return self.train_dataset.loader()

    if door == "map":
        trainer = transformers.Trainer(Model(), arguments, train_dataset=LatentDataset(many, columns=columns))
    else:
        stream = StreamingLatentDataset(many, batch_size=4, columns=columns)
        trainer = StreamTrainer(Model(), arguments, train_dataset=stream)
    trainer.train()
    expected = sorted(float(fields(number)["target"]) for number in range(COUNT))
    assert sorted(trainer.model.seen) == expected
