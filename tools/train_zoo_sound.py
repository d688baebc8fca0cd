"""Fit the zoo's codecs of sound to recordings of Debian: `python -m tools.train_zoo_sound --data FOLDER`.

In the folder lies what these packages hold:

    apt-get download hyperrogue-music warzone2100-music asterisk-core-sounds-{en,es,fr,it,ru}-{wav,g722}
    for package in *.deb; do dpkg-deb -x "$package" FOLDER; done

All may be used for this and passed on (CC BY-SA 3.0 and CC BY 3.0; `walloc_data/weights/README.md` names the authors).
Needed besides are the extras `audio`, and `video` for G.722.

How wavelet, levels and steps were chosen, on tracks and a speaker that the others were fitted without: of 10/18, sym8,
sym16, db10, bior4.4 and dmey with one level more and one less, 10/18 alone has parity, its filters are short, and at
equal PSNR its bits are within a tenth of the fewest (of dmey, with 62 taps). Steps are finer than such recordings need,
since softer ones are encoded with the same: of what is 20 dB softer, finer ones yet would give 0.5 dB back, or less.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from walloc_data import AudioReader, CodecConfig, fit, save_codec
from walloc_data.signals import Window

_MUSIC = (
    "usr/share/hyperrogue/music/*.ogg",
    "usr/share/games/warzone2100/music/albums/aftermath_soundtrack/track??.opus",
)
_SPEECH = "usr/share/asterisk/sounds/**/*"
ZOO = {  # signal channels, levels, channels, knee, rate, files
    "stereo-f256c108": (2, 8, 108, 0.05, 44100, _MUSIC),
    "stereo-f256c27": (2, 8, 27, 0.02, 44100, _MUSIC),
    "mono-f128c32": (1, 7, 32, 0.02, 16000, (f"{_SPEECH}.g722",)),
    "mono-f64c16": (1, 6, 16, 0.02, 8000, (f"{_SPEECH}.wav",)),
}
_SEGMENT, _EACH = 10.24, 5  # seconds of a window, and windows of a track of music
_EVERY = 4  # files of speech


@dataclass(frozen=True)
class Recordings:
    """Windows of music, evenly from each track, or recordings of speech whole: `[1, C, samples]`, read at each pass."""

    paths: list[Path]
    reader: AudioReader

    def __iter__(self) -> Iterator[Tensor]:
        for path in self.paths:
            data: list[Path | Window] = [path]
            if self.reader.segment is not None:
                starts = self.reader.starts(path, path.name)[:-1]
                data = [Window(path, starts[(2 * i + 1) * len(starts) // (2 * _EACH)], 0) for i in range(_EACH)]
            for part in data:
                yield torch.from_numpy(self.reader.read(part, path.name).values)[None]


def main() -> None:
    """Fit and write every codec of sound."""
    parser = argparse.ArgumentParser(description="Fit the zoo's codecs of sound to recordings of Debian.")
    parser.add_argument("--data", type=Path, required=True, help="folder into which Debian's packages were unpacked")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "walloc_data" / "weights")
    parser.add_argument("--codecs", nargs="+", choices=ZOO, default=list(ZOO), help="which (default: all)")
    arguments = parser.parse_args()
    for name in arguments.codecs:
        signal_channels, levels, channels, knee, rate, patterns = ZOO[name]
        paths = sorted(path for pattern in patterns for path in arguments.data.glob(pattern))
        if not paths:
            raise SystemExit(f"nothing below {arguments.data} is called {' or '.join(patterns)}")
        music = signal_channels == 2
        reader = AudioReader(channels=signal_channels, rate=rate, segment=_SEGMENT if music else None)
        signals = Recordings(paths if music else paths[::_EVERY], reader)
        config = CodecConfig(
            name=name, kind="audio", signal_channels=signal_channels, dims=1, levels=levels, wavelet="10/18"
        )
        codec = fit(signals, config, channels=channels, knee=knee)
        save_codec(codec, arguments.out / f"{name}.safetensors")
        widened = int((codec.steps > codec.steps.min()).sum())
        print(f"{codec}: {len(signals.paths)} files, step {codec.steps.min():.4f}, {widened} channels widened")


if __name__ == "__main__":
    main()
