"""What the package `walloc` makes of checkpoints of drawn numbers, in `codec/original.json`.

`python -m tests.original_expected` writes that file, where `pip install walloc==1.2.1 torchvision 'setuptools<81'` has
been run (its import needs both, torchvision of the build of torch); no other test needs the package.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.original_checkpoints import SETTINGS, drawn, shapes, signal

__all__ = ["EVERY", "FILE", "of_the_package", "package_codec"]

FILE = Path(__file__).parent / "codec" / "original.json"
EVERY = 37  # of the values that are decoded, one is kept


def package_codec(settings: dict[str, Any]) -> Any:
    """A codec of the package with drawn numbers."""
    from walloc import walloc

    codec = (walloc.Codec1D if "post_filter" in settings else walloc.Codec2D)(**settings).eval()
    weights = {name: each for name, each in codec.state_dict().items() if not name.startswith(("wt.", "iwt."))}
    assert {name: tuple(each.shape) for name, each in weights.items()} == shapes(settings)
    codec.load_state_dict({**codec.state_dict(), **drawn(shapes(settings))})
    return codec


@torch.no_grad()
def of_the_package(settings: dict[str, Any], x: Tensor) -> tuple[Tensor, Tensor]:
    """Latents of signals in our ranges, and what they are decoded to, in our ranges too."""
    codec, sound = package_codec(settings), "post_filter" in settings
    x = x / 2 if sound else x - 0.5  # of 5 positions a side or more: it takes packets of fewer for no period
    decoded = codec(x)[0]
    return codec.encoder(codec.wavelet_analysis(x, J=codec.J)), decoded * 2 if sound else decoded + 0.5


def main() -> None:
    """Write the file."""
    warnings.simplefilter("ignore")
    found = {}
    for name, settings in SETTINGS.items():
        latents, decoded = of_the_package(settings, signal(settings))
        values = [round(value, 6) for value in decoded.flatten()[::EVERY].tolist()]
        found[name] = {"latents": latents.int().flatten().tolist(), "decoded": values}
    FILE.write_text(
        "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in found.items()) + "\n}\n"
    )


if __name__ == "__main__":
    main()
