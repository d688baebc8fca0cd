"""Fit the codecs of the zoo to folders of photographs: `python -m tools.train_zoo FOLDER [FOLDER ...]`.

The zoo of the package was fitted to the 300 photographs of BSDS500's train and val folders.

How the steps were chosen: `fit` sets the step by `knee`, the error of quantisation over that of the
channels left out. At 16x most of the error is that of the channels left out and bits are few, so
5% buys nearly all the quality there is; at 4x a bit a pixel buys but 1 dB near 12%, and finer steps
push more channels out of int8. `benchmarks/rate_distortion.py --sweep` prints the curves. An emphasis on detail
is worse for pixels and better for what is trained on latents: docs/evidence.md.
"""

import argparse
from pathlib import Path

from benchmarks.zoo import ZOO, photographs
from walloc_data.codec import CodecConfig, fit
from walloc_data.zoo import save_codec


def main() -> None:
    """Fit and write every codec of the zoo."""
    parser = argparse.ArgumentParser(description="Fit the codecs of the zoo to folders of photographs.")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "walloc_data" / "weights")
    parser.add_argument("--wavelet", default="10/18")
    parser.add_argument("--codecs", nargs="+", choices=ZOO, default=list(ZOO), help="which (default: all)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.codecs:
        signal_channels, levels, channels, knee, emphasis = ZOO[name]
        config = CodecConfig(
            name=name, kind="image", signal_channels=signal_channels, dims=2, levels=levels, wavelet=arguments.wavelet
        )
        codec = fit(
            photographs(arguments.folders, signal_channels), config, channels=channels, knee=knee, emphasis=emphasis
        )
        save_codec(codec, arguments.out / f"{name}.safetensors")
        widened = int((codec.steps > codec.steps.min()).sum())
        print(f"{codec}: step {codec.steps.min():.4f}, {widened} channels widened")


if __name__ == "__main__":
    main()
