"""Image classification where `ImageFolder` stood: a folder of photographs, sharded once, then read as latents.

`python examples/image_classification.py` takes a minute or two; `--short` a few steps. Needs the extra `examples`.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn
from torch.utils.data import DataLoader

from walloc_data import ImageReader, LatentDataset, shard_dataset
from walloc_data.transforms import RandomFlip

try:
    from PIL import Image
    from skimage import data
except ImportError as error:
    sys.exit(f"{error.name} is not installed: pip install 'walloc-data[examples]'")

CLASSES = ("astronaut", "chelsea", "coffee", "rocket")  # photographs, of which windows are shown


def write_photographs(root: Path, count: int) -> None:
    """`root/{train,val}/class/*.jpg`: windows of 128 x 128 pixels, of the lower half of each photograph for val."""
    draw = torch.Generator().manual_seed(0)
    for name in CLASSES:
        photograph = getattr(data, name)()
        half = photograph.shape[0] // 2
        for split, part in (("train", photograph[:half]), ("val", photograph[half:])):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count if split == "train" else count // 4):
                top, left = (int(torch.randint(side - 127, (), generator=draw)) for side in part.shape[:2])
                Image.fromarray(part[top : top + 128, left : left + 128]).save(folder / f"{number}.jpg", quality=95)


def network(channels: int, classes: int) -> nn.Module:
    """A small one: the grid of latents is 8 times coarser than the pixels, so few layers see all of it."""
    layers: list[nn.Module] = []
    for width, stride in ((64, 1), (64, 2), (128, 2)):
        layers += [nn.Conv2d(channels, width, 3, stride, 1), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def main(root: Path, *, short: bool) -> None:
    """Make the data, shard them, train on them."""
    write_photographs(root / "photographs", 16 if short else 400)
    shard_dataset(root / "photographs", root / "latents", codec="rgb-f8c12", reader=ImageReader(size=128))

    train = LatentDataset(root / "latents", "train")  # was: ImageFolder(root / "photographs/train", transform)
    val = LatentDataset(root / "latents", "val")
    flip = RandomFlip(train.codec)  # exact: as if the photograph had been flipped
    model = network(train.codec.channels, len(train.classes))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    for epoch in range(1 if short else 5):
        model.train()
        for latents, labels in DataLoader(train, batch_size=32, shuffle=True, drop_last=True):
            x = train.codec.dequantize(flip(latents))  # int8 until here: float32 [32, 12, 16, 16]
            loss = nn.functional.cross_entropy(model(x), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            right = [(model(val.codec.dequantize(z)).argmax(1) == y) for z, y in DataLoader(val, batch_size=64)]
        print(f"epoch {epoch}: {torch.cat(right).float().mean():.0%} of the windows of unseen halves are told right")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        main(Path(folder), short="--short" in sys.argv)
