"""A diffusion model on latents, whose flips are exact: it learns windows of a photograph and draws new ones.

`python examples/latent_diffusion.py` takes a minute or two; `--short` a few steps. Needs the extra `examples`.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader

from walloc_data import ImageReader, LatentDataset, shard_dataset
from walloc_data.transforms import RandomFlip, flip

try:
    from skimage import data
except ImportError as error:
    sys.exit(f"{error.name} is not installed: pip install 'walloc-data[examples]'")


class Denoiser(nn.Module):
    """Noisy latents [B, c, 8, 8] and how far they are on the way to noise, 0 to 1, to the velocity between the two."""

    def __init__(self, channels: int, width: int = 96) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(16, width), nn.SiLU(), nn.Linear(width, width))
        self.first, self.last = nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, channels, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1)) for _ in range(6)
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Of the same shape as x."""
        angles = t[:, None] * torch.pi * 2.0 ** torch.arange(8)
        h = self.first(x) + self.time(torch.cat([angles.sin(), angles.cos()], 1))[:, :, None, None]
        for layer in self.layers:
            h = h + layer(h)
        return self.last(h)


def main(root: Path, *, short: bool) -> None:
    """Shard windows, train, draw 16 new ones."""
    torch.manual_seed(0)
    photograph, draw = data.rocket(), np.random.default_rng(0)
    places = draw.integers(np.array(photograph.shape[:2]) - 63, size=(64 if short else 2000, 2))
    windows = [photograph[top : top + 64, left : left + 64] for top, left in places]
    shard_dataset(windows, root / "latents", codec="rgb-f8c12", reader=ImageReader(size=64))

    train = LatentDataset(root / "latents")
    codec, augment = train.codec, RandomFlip(train.codec)
    x = torch.from_numpy(windows[0].copy()).permute(2, 0, 1)[None]
    exact = torch.equal(flip(codec.encode(x), codec), codec.encode(x.flip(-1)))
    print(f"flipped latents are those of the flipped window: {exact}")
    model = Denoiser(codec.channels)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    for _ in range(1 if short else 15):
        for latents, _ in DataLoader(train, batch_size=64, shuffle=True):
            x = codec.dequantize(augment(latents))  # about unit variance in all, as diffusion wants it
            t, way = torch.rand(len(x)), torch.randn_like(x) - x
            loss = (model(x + t[:, None, None, None] * way, t) - way).square().mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    with torch.inference_mode():
        x, steps = torch.randn(16, codec.channels, 8, 8), 2 if short else 32
        for step in range(steps, 0, -1):  # from noise back, by Euler's steps
            x = x - model(x, torch.full((16,), step / steps)) / steps
        drawn = (codec.decode(x) * 255).byte().permute(0, 2, 3, 1).reshape(4, 4, 64, 64, 3)
    Image.fromarray(drawn.transpose(1, 2).reshape(256, 256, 3).numpy()).save("drawn.png")
    print(f"loss {loss.item():.3f}; 16 new windows are in drawn.png")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        main(Path(folder), short="--short" in sys.argv)
