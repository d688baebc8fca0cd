"""A vision transformer of Transformers, trained by its Trainer on latents: one patch a position of the grid.

`python examples/transformers_trainer.py` takes a minute or two; `--short` a few steps. Needs the extra `examples`.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from walloc_data import ImageReader, LatentDataset, shard_dataset

try:
    from accelerate.utils import set_seed
    from skimage import data
    from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification
except ImportError as error:
    sys.exit(f"{error.name or error} is not installed: pip install 'walloc-data[examples]'")

CLASSES = ("astronaut", "chelsea", "coffee", "rocket")  # photographs, of which windows are shown


def windows(count: int, seed: int) -> list[tuple[np.ndarray, str]]:
    """Windows of 64 x 64 pixels, each with the name of its photograph."""
    draw, found = np.random.default_rng(seed), []
    for name in CLASSES:
        photograph = getattr(data, name)()
        for top, left in draw.integers(np.array(photograph.shape[:2]) - 63, size=(count // len(CLASSES), 2)):
            found.append((photograph[top : top + 64, left : left + 64], name))
    return found


def accuracy(predicted: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """What the Trainer prints beside the loss."""
    return {"accuracy": float((predicted[0].argmax(-1) == predicted[1]).mean())}


def main(root: Path, *, short: bool) -> None:
    """Shard windows out of memory, and train on them."""
    set_seed(0)
    samples = {"train": windows(64 if short else 2000, 0), "val": windows(16 if short else 400, 1)}
    shard_dataset(samples, root / "latents", codec="rgb-f8c12", reader=ImageReader(size=64))

    columns = {"pixel_values": "latents", "labels": "label"}  # as the model's forward calls its arguments
    train, val = (LatentDataset(root / "latents", split, columns=columns, decode="float") for split in samples)
    shape = train[0]["pixel_values"].shape  # [12, 8, 8]
    model = ViTForImageClassification(
        ViTConfig(
            num_channels=shape[0],
            image_size=shape[1],
            patch_size=1,
            hidden_size=96,
            intermediate_size=192,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_labels=len(CLASSES),
        )
    )
    arguments = TrainingArguments(
        str(root / "run"),
        max_steps=2 if short else 300,
        per_device_train_batch_size=32,
        learning_rate=1e-3,
        save_strategy="no",
        logging_strategy="no",
        dataloader_pin_memory=torch.cuda.is_available(),
        report_to="none",
        disable_tqdm=True,
    )
    trainer = Trainer(model, arguments, train_dataset=train, eval_dataset=val, compute_metrics=accuracy)
    trainer.train()
    print(f"{trainer.evaluate()['eval_accuracy']:.0%} of the windows are told right")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        main(Path(folder), short="--short" in sys.argv)
