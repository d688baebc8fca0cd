"""What the benchmarks are held against: the JPEG pipeline of a training script, and a codec written the usual way."""

import math
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, pad
from torch.utils.data import Dataset

from benchmarks.images import labels
from walloc_data import Files
from walloc_data.codec import Codec
from walloc_data.codec.levels import each_axis
from walloc_data.codec.packets import subband_parity
from walloc_data.codec.wavelets import filter_bank, has_parity

__all__ = ["JpegFolder", "SeparableEncoder", "random_resized_crop"]


class JpegFolder(Dataset[tuple[Tensor, int]]):
    """Image files to uint8 `[3, size, size]` by Pillow: decode, RandomResizedCrop, horizontal flip."""

    def __init__(self, files: Files, size: int) -> None:
        self.files, self.labels, self.size = files, labels(files), size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return random_resized_crop(self.files.path(index), self.size), self.labels[index]


def random_resized_crop(path: Path, size: int) -> Tensor:
    """A crop of 8 to 100% of the area, 3/4 to 4/3 as wide as high, at `size`, flipped half the time.

    The distribution is that of torchvision's RandomResizedCrop; uint8 `[3, size, size]`.
    """
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    for _ in range(10):
        area = image.width * image.height * random.uniform(0.08, 1)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if width <= image.width and height <= image.height:
            break
    else:
        width = height = min(image.size)
    left, top = random.randint(0, image.width - width), random.randint(0, image.height - height)
    box = (left, top, left + width, top + height)
    image = image.resize((size, size), Image.Resampling.BILINEAR, box=box)
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


class SeparableEncoder:
    """The encoder of a codec for images as its parts: J levels of separable convolutions, then one of 1 x 1."""

    def __init__(self, codec: Codec) -> None:
        config = codec.config
        bank = filter_bank(config.wavelet)
        self.levels, self.reach = each_axis(config.levels, config.dims)[0], bank.dec_len // 2 - 1
        self.taps = torch.tensor([bank.dec_lo, bank.dec_hi], dtype=torch.float32).flip(1)[:, None]
        rows = torch.zeros(codec.channels, config.packet_channels)
        odd = subband_parity(config.signal_channels, config.levels, config.dims)
        for row, sides, weights in zip(rows, codec.odd, codec.encoder / codec.steps[:, None], strict=True):
            row[(odd == sides).all(1) if has_parity(config.wavelet) else slice(None)] = weights
        self.order = self._order(config.signal_channels)
        self.weight = rows[:, self.order][:, :, None, None].contiguous()
        self.mean = codec.mean.reshape(1, -1, 1, 1)

    def __call__(self, x: Tensor) -> Tensor:
        """Images uint8 `[B, C, H, W]` to latents int8 `[B, c, H / f, W / f]`."""
        y = x.float() / 255 - self.mean
        for _ in range(self.levels):
            channels = y.shape[1]
            y = pad(y, (self.reach, self.reach, 0, 0), mode="circular")
            y = conv2d(y, self.taps[:, :, None].repeat(channels, 1, 1, 1), stride=(1, 2), groups=channels)
            y = pad(y, (0, 0, self.reach, self.reach), mode="circular")
            y = conv2d(y, self.taps[..., None].repeat(2 * channels, 1, 1, 1), stride=(2, 1), groups=2 * channels)
        return conv2d(y, self.weight).round_().clamp_(-127, 127).to(torch.int8)

    def _order(self, signal_channels: int) -> Tensor:
        """Place in the order of `packets.analyze` of each channel that the levels give."""
        order = [(colour, 0, 0) for colour in range(signal_channels)]
        for _ in range(self.levels):
            order = [(c, 2 * v + b, 2 * h + a) for c, v, h in order for a in (0, 1) for b in (0, 1)]
        side = 2**self.levels
        return torch.tensor([(c * side + v) * side + h for c, v, h in order])
