"""The networks of original codecs for sound: encoder and decoder of the Oobleck autoencoder, of one resolution.

They are those of Stable Audio (Evans et al., "Fast Timing-Conditioned Latent Audio Diffusion", 2024) with two blocks
that bring nothing to another resolution. Each of these adds a position in the encoder, and takes one away in the
decoder: of n positions of packets there are n + 2 of latents. Modules are named as checkpoints name their tensors.
"""

import torch
from torch import Tensor, nn

__all__ = ["REACH", "OobleckDecoder", "OobleckEncoder"]

_DILATIONS = (1, 3, 9)
REACH = 3 + 2 * (1 + 3 * sum(_DILATIONS)) + 3  # of the decoder: positions away that may change what comes of one


class _Snake(nn.Module):
    """`x + sin(a x)**2 / b`, with `a` and `b` of each channel as logarithms."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha, self.beta = (nn.Parameter(torch.zeros(1, width, 1)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.alpha.exp() * x).sin().square() / (self.beta.exp() + 1e-9)


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.snake1, self.snake2 = _Snake(width), _Snake(width)
        self.conv1 = nn.Conv1d(width, width, 7, dilation=dilation, padding=3 * dilation)
        self.conv2 = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.conv2(self.snake2(self.conv1(self.snake1(x))))
        return x + found


class _Block(nn.Module):
    """Residuals of growing dilation, as they stand in encoder and decoder alike."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.res_unit1, self.res_unit2, self.res_unit3 = (_Residual(width, dilation) for dilation in _DILATIONS)

    def residuals(self, x: Tensor) -> Tensor:
        found: Tensor = self.res_unit3(self.res_unit2(self.res_unit1(x)))
        return found


class _EncoderBlock(_Block):
    def __init__(self, width: int, wider: int) -> None:
        super().__init__(width)
        self.snake1 = _Snake(width)
        self.conv1 = nn.Conv1d(width, wider, 2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.conv1(self.snake1(self.residuals(x)))
        return found


class _DecoderBlock(_Block):
    def __init__(self, width: int, narrower: int) -> None:
        super().__init__(narrower)
        self.snake1 = _Snake(width)
        self.conv_t1 = nn.ConvTranspose1d(width, narrower, 2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.residuals(self.conv_t1(self.snake1(x)))


class OobleckEncoder(nn.Module):
    """Packets `[B, n, T]` to what is quantised, `[B, c, T + 2]`."""

    def __init__(self, packets: int, channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(packets, channels, 7, padding=3)
        self.block = nn.ModuleList([_EncoderBlock(channels, width), _EncoderBlock(width, width)])
        self.snake1 = _Snake(width)
        self.conv2 = nn.Conv1d(width, channels, 3, padding=1)

    def forward(self, packets: Tensor) -> Tensor:
        x = self.conv1(packets)
        for block in self.block:
            x = block(x)
        y: Tensor = self.conv2(self.snake1(x))
        return y


class OobleckDecoder(nn.Module):
    """What was quantised, `[B, c, T + 2]`, to packets `[B, n, T]`."""

    def __init__(self, packets: int, channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, width, 7, padding=3)
        self.block = nn.ModuleList([_DecoderBlock(width, width), _DecoderBlock(width, channels)])
        self.snake1 = _Snake(channels)
        self.conv2 = nn.Conv1d(channels, packets, 7, padding=3, bias=False)

    def forward(self, y: Tensor) -> Tensor:
        x = self.conv1(y)
        for block in self.block:
            x = block(x)
        packets: Tensor = self.conv2(self.snake1(x))
        return packets
