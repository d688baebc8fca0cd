"""Rate and distortion: `python -m benchmarks.rate_distortion --fit FOLDER [FOLDER ...] --test FOLDER [--sweep]`.

Means over the images of the test folder; bits a pixel are those of the payloads of the coder `zstd`, its
tables fitted to latents of the fit folders. Codecs with other wavelets are fitted as the zoo's were;
`--sweep` fits each of the zoo's shapes with other steps, to see where the knee is.
"""

import argparse
from pathlib import Path

import torch

from benchmarks.results import add_save, show
from benchmarks.zoo import ZOO, photographs
from walloc_data.codec import Codec, CodecConfig, fit, psnr
from walloc_data.entropy import ZstdCoder
from walloc_data.zoo import load_codec

WAVELETS = ("10/18", "bior4.4", "rbio1.3")
KNEES = (0.02, 0.05, 0.08, 0.12, 0.2, 0.5)


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Rate and distortion of the zoo, and of other wavelets and steps.")
    parser.add_argument("--fit", type=Path, nargs="+", required=True, help="folders of photographs to fit to")
    parser.add_argument("--test", type=Path, required=True, help="folder of photographs to report on")
    parser.add_argument("--sweep", action="store_true", help="other steps, not other wavelets")
    add_save(parser)
    arguments = parser.parse_args()
    rows: list[tuple[object, ...]] = [("codec", "wavelet", "knee", "step", "PSNR, dB", "bits a pixel", "bits a latent")]
    for name, (signal_channels, levels, channels, knee, emphasis) in ZOO.items():
        known, unknown = photographs(arguments.fit, signal_channels), photographs([arguments.test], signal_channels)
        variants = [("10/18", k) for k in KNEES] if arguments.sweep else [(wavelet, knee) for wavelet in WAVELETS]
        for wavelet, chosen in variants:
            config = CodecConfig(
                name=name, kind="image", signal_channels=signal_channels, dims=2, levels=levels, wavelet=wavelet
            )
            zoo = wavelet == "10/18" and chosen == knee
            codec = load_codec(name) if zoo else fit(known, config, channels=channels, knee=chosen, emphasis=emphasis)
            quality, bits, bits_a_latent = measure(codec, known, unknown)
            step = f"{codec.steps.min():.4f}"
            rows.append((name, wavelet, chosen, step, f"{quality:.2f}", f"{bits:.3f}", f"{bits_a_latent:.2f}"))
            print(*rows[-1], flush=True)
    name = "rate_distortion_sweep" if arguments.sweep else "rate_distortion"
    show(name, rows, save=arguments.save, images=len(unknown))


def measure(codec: Codec, known: list[torch.Tensor], unknown: list[torch.Tensor]) -> tuple[float, float, float]:
    """PSNR (dB), bits a pixel and bits a latent: means over the unknown images, uint8 `[1, C, H, W]`."""
    coder = ZstdCoder.fit([codec.encode(x)[0].numpy() for x in known[:100]])
    qualities, rates, latents = [], [], []
    for x in unknown:
        z = codec.encode(x)
        bits = 8 * len(coder.encode(z.numpy())[0])
        qualities.append(psnr(codec.decode(z, x.shape[2:]), x / 255))
        rates.append(bits / x[0, 0].numel())
        latents.append(bits / z.numel())
    return sum(qualities) / len(unknown), sum(rates) / len(unknown), sum(latents) / len(unknown)


if __name__ == "__main__":
    main()
