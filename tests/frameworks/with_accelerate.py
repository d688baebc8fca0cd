"""A loop with Accelerate: see `task`."""

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader

from tests.frameworks.task import EPOCHS, Model, note, run, stream


def phase(root: str, log: str, folder: str, stop: str) -> None:
    accelerator = Accelerator(cpu=True)
    data, model = stream(root), Model()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    loader = DataLoader(data, batch_size=None) if stop == "hand" else data.loader(num_workers=1)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    if stop == "resume":
        accelerator.load_state(folder)
    steps = 0
    for _ in range(data.epoch, EPOCHS):
        for x, y, keys in loader:
            accelerator.backward(model(x, y)["loss"])
            optimizer.step()
            optimizer.zero_grad()
            note(log, accelerator.process_index, keys)
            steps += 1
            if str(steps) == stop:
                accelerator.save_state(folder)
                return


if __name__ == "__main__":
    run(phase)
