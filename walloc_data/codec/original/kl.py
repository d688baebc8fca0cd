"""The networks of original codecs for images: encoder and decoder of a KL autoencoder, of one resolution.

They are those of latent diffusion (Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models",
2022) with a single level of `width` channels, so nothing is brought to another resolution. Modules are named as
checkpoints name their tensors.
"""

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

__all__ = ["GROUPS", "KLDecoder", "KLEncoder"]

GROUPS = 32  # of channels, each normalised by itself


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, width, eps=1e-6)


def _conv(channels: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, padding=1)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(width), _conv(width, width)
        self.norm2, self.conv2 = _norm(width), _conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.conv2(silu(self.norm2(self.conv1(silu(self.norm1(x))))))
        return x + found


class _Attention(nn.Module):
    """Of every position to every other, by one head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.group_norm = _norm(width)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor) -> Tensor:
        rows = self.group_norm(x).flatten(2).transpose(1, 2)[:, None]
        found = scaled_dot_product_attention(self.to_q(rows), self.to_k(rows), self.to_v(rows))[:, 0]
        mixed: Tensor = self.to_out[0](found)
        return x + mixed.transpose(1, 2).reshape(x.shape)


class _Block(nn.Module):
    def __init__(self, width: int, residuals: int, *, attention: bool = False) -> None:
        super().__init__()
        self.attentions = nn.ModuleList([_Attention(width)] * attention)
        self.resnets = nn.ModuleList([_Residual(width) for _ in range(residuals)])

    def forward(self, x: Tensor) -> Tensor:
        for number, residual in enumerate(self.resnets):
            if number and self.attentions:
                x = self.attentions[0](x)
            x = residual(x)
        return x


class KLEncoder(nn.Module):
    """Packets `[B, n, H, W]` to what is quantised, `[B, c, H, W]`."""

    def __init__(self, packets: int, channels: int, width: int) -> None:
        super().__init__()
        self.conv_in = _conv(packets, width)
        self.down_blocks = nn.ModuleList([_Block(width, 2)])
        self.mid_block = _Block(width, 2, attention=True)
        self.conv_norm_out = _norm(width)
        self.conv_out = _conv(width, channels)

    def forward(self, packets: Tensor) -> Tensor:
        x = self.mid_block(self.down_blocks[0](self.conv_in(packets)))
        y: Tensor = self.conv_out(silu(self.conv_norm_out(x)))
        return y


class KLDecoder(nn.Module):
    """What was quantised, `[B, c, H, W]`, to packets `[B, n, H, W]`."""

    def __init__(self, packets: int, channels: int, width: int) -> None:
        super().__init__()
        self.conv_in = _conv(channels, width)
        self.mid_block = _Block(width, 2, attention=True)
        self.up_blocks = nn.ModuleList([_Block(width, 3)])
        self.conv_norm_out = _norm(width)
        self.conv_out = _conv(width, packets)

    def forward(self, y: Tensor) -> Tensor:
        x = self.up_blocks[0](self.mid_block(self.conv_in(y)))
        packets: Tensor = self.conv_out(silu(self.conv_norm_out(x)))
        return packets
