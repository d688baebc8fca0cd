"""Lightning on two processes, which it starts itself: see `task`."""

from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from tests.frameworks.task import EPOCHS, Model, note, run, stream


class Module(lightning.LightningModule):
    def __init__(self, log: str) -> None:
        super().__init__()
        self.model, self.path = Model(), log

    def training_step(self, batch: Any) -> Any:
        x, y, keys = batch
        note(self.path, self.global_rank, keys)
        return self.model(x, y)["loss"]

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 1e-3)


def phase(root: str, log: str, folder: str, stop: str) -> None:
    data = stream(root)
    loader = DataLoader(data, batch_size=None) if stop == "hand" else data.loader(num_workers=1)
    keep = ModelCheckpoint(folder, filename="kept", every_n_train_steps=int(stop)) if stop.isdigit() else None
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        max_epochs=EPOCHS,
        max_steps=int(stop) if stop.isdigit() else -1,
        limit_train_batches=3 if stop == "limit" else None,
        logger=False,
        callbacks=keep,
        enable_checkpointing=keep is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(log), loader, ckpt_path=Path(folder, "kept.ckpt") if stop == "resume" else None)


if __name__ == "__main__":
    run(phase)
