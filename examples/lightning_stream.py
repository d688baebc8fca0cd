"""A LightningModule on a stream of latents, which Lightning resumes to the sample from its own checkpoint.

`python examples/lightning_stream.py` takes a minute or two; `--short` a few steps. Needs the extra `examples`.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

from walloc_data import ImageReader, StreamingLatentDataset, shard_dataset

try:
    import lightning
    from lightning.pytorch.callbacks import ModelCheckpoint
    from skimage import data
except ImportError as error:
    sys.exit(f"{error.name or error} is not installed: pip install 'walloc-data[examples]'")

CLASSES = ("astronaut", "chelsea", "coffee", "rocket")  # photographs, of which windows are shown


def windows(count: int) -> list[tuple[np.ndarray, str]]:
    """Windows of 64 x 64 pixels, each with the name of its photograph."""
    draw, found = np.random.default_rng(0), []
    for name in CLASSES:
        photograph = getattr(data, name)()
        for top, left in draw.integers(np.array(photograph.shape[:2]) - 63, size=(count // len(CLASSES), 2)):
            found.append((photograph[top : top + 64, left : left + 64], name))
    return found


class Classifier(lightning.LightningModule):
    """Latents [B, 12, 8, 8], int8 until they are on the device, to a class."""

    def __init__(self, codec) -> None:
        super().__init__()
        self.codec, self.seen = codec, 0
        self.model = nn.Sequential(
            nn.Conv2d(codec.channels, 64, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(len(CLASSES))
        )

    def training_step(self, batch, number):
        """The loss; the share of the batch that is told right goes to the log."""
        latents, labels = batch
        self.seen += len(labels)
        logits = self.model(self.codec.dequantize(latents))
        self.log("accuracy", (logits.argmax(1) == labels).float().mean())
        return nn.functional.cross_entropy(logits, labels)

    def configure_optimizers(self):
        """AdamW, as anywhere."""
        return torch.optim.AdamW(self.parameters(), 1e-3)


def main(root: Path, *, short: bool) -> None:
    """Train some epochs and a half, stop, and go on where that was."""
    shard_dataset(windows(96 if short else 4000), root / "latents", codec="rgb-f8c12", reader=ImageReader(size=64))
    steps, every = (3, 1) if short else (125, 25)  # an epoch, of batches of 32, and from one checkpoint to the next
    for end in (steps + every, 3 * steps):
        stream = StreamingLatentDataset(root / "latents", batch_size=32, seed=0)
        # Written within the epoch, for once `fit` has ended Lightning counts the epoch as done.
        keep = ModelCheckpoint(root, "half", every_n_train_steps=every, enable_version_counter=False)
        options = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False}
        trainer = lightning.Trainer(max_steps=end, callbacks=keep, **options)
        module, checkpoint = Classifier(stream.codec), root / "half.ckpt"
        module.model(torch.zeros(1, stream.codec.channels, 8, 8))  # so that the lazy layer has a shape
        trainer.fit(module, stream.loader(), ckpt_path=checkpoint if checkpoint.exists() else None)
        told, state = float(trainer.callback_metrics["accuracy"]), stream.state_dict()
        at = f"step {trainer.global_step}, step {state['step']} of epoch {state['epoch']}"
        print(f"{at}: {module.seen:,} windows seen in this run, {told:.0%} of the last told right")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        main(Path(folder), short="--short" in sys.argv)
