"""Draw the picture of README: `python -m tools.draw_picture docs/pictures/latents.jpg` (extras `demo` and `bench`).

A photograph that these codecs were not fitted to, its latents, and what they decode to, with the bytes of the coder's
payload; the coder's tables are fitted to other photographs. All come with scikit-image and scikit-learn; the one that
is drawn is Chelsea, by Stefan van der Walt, CC0.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage
import sklearn.datasets
import torch
from numpy.typing import NDArray
from torch import Tensor

from walloc_data import ImageReader, load_codec
from walloc_data.entropy import RansCoder

PHOTOGRAPH = Path(skimage.__file__).parent / "data" / "chelsea.png"
OTHERS = [
    *(Path(skimage.__file__).parent / "data" / name for name in ("astronaut.png", "coffee.png", "rocket.jpg")),
    *(Path(sklearn.datasets.__file__).parent / "images" / name for name in ("china.jpg", "flower.jpg")),
]
CODECS = ("rgb-f8c12", "rgb-f8c48")
ROWS, COLUMNS = 3, 4  # of the twelve channels


def main() -> None:
    """Encode, decode and draw."""
    parser = argparse.ArgumentParser(description="Draw the picture of README.")
    parser.add_argument("picture", type=Path, help="file to write")
    picture = parser.parse_args().picture
    original, *others = (_pixels(path) for path in (PHOTOGRAPH, *OTHERS))
    shown = [(f"photograph\n{original.numel():,} numbers of 8 bits", original.movedim(0, 2).numpy())]
    for name in CODECS:
        latents, size, decoded = _through(name, original, others)
        if not shown[1:]:
            shown.append((f"latents of {name}\n{latents.size:,} numbers in {size:,} bytes", _tiles(latents)))
        peak = 10 * np.log10(1 / np.mean((decoded - shown[0][1] / 255) ** 2))
        shown.append((f"decoded from {name}\n{latents.size:,} numbers in {size:,} bytes, {peak:.1f} dB", decoded))
    widths = [values.shape[1] / values.shape[0] for _, values in shown]  # so that all are of one height
    figure, panels = plt.subplots(1, len(shown), figsize=(13, 4.0), width_ratios=widths, layout="constrained")
    for axes, (title, values) in zip(panels, shown, strict=True):
        axes.imshow(values, cmap="gray")
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
    figure.savefig(picture, dpi=100, bbox_inches="tight", pad_inches=0.05, pil_kwargs={"quality": 90})


def _pixels(path: Path) -> Tensor:
    return torch.from_numpy(ImageReader(size=256).read(path.read_bytes(), path.name).values)


def _through(
    name: str, original: Tensor, others: Sequence[Tensor]
) -> tuple[NDArray[np.int8], int, NDArray[np.float32]]:
    """Latents, the bytes of their payload, and the picture that they decode to, [height, width, 3]."""
    codec = load_codec(name)
    z = codec.encode(original[None])
    coder = RansCoder.fit([codec.encode(each[None])[0].numpy() for each in others])
    latents: NDArray[np.int8] = z.numpy()
    decoded: NDArray[np.float32] = codec.decode(z)[0].movedim(0, 2).numpy()
    return latents[0], len(coder.encode(latents)[0]), decoded


def _tiles(latents: NDArray[np.int8]) -> NDArray[np.float32]:
    """Channels side by side, each from black to white in five standard deviations."""
    channels = latents.astype(np.float32)
    channels -= channels.mean((1, 2), keepdims=True)
    channels = np.clip(0.5 + channels / (5 * channels.std((1, 2), keepdims=True)), 0, 1)
    channels = np.pad(channels, ((0, 0), (1, 1), (1, 1)), constant_values=1)
    tiles: NDArray[np.float32] = np.block([list(row) for row in np.split(channels, ROWS)])
    assert len(channels) == ROWS * COLUMNS
    return tiles


if __name__ == "__main__":
    main()
