"""Codecs of sound beside Opus, MP3 and FLAC: `python -m benchmarks.sound --music FOLDER --speech ... --digits ...`.

They were fitted to other recordings. Of music every stereo recording is compared at 44.1 kHz, of speech every one of
one channel at 16 kHz; of digits, `{digit}_{speaker}_{take}.wav` at 8 kHz, takes 0 to 4 of a speaker as one. Opus and
MP3 get as many bytes as latents have, coded by `rans` with tables fitted to the recordings' latents, as a dataset of
them has. Ratios are to 16-bit PCM. Speeds are millions of samples (of all channels) a second of processor
time of one core, to encode and to decode.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.results import add_save, best_time, show
from benchmarks.sound_peers import LOSSY, Sound, decode, encode, flac, near, resampled
from walloc_data import AudioReader, Codec, load_codec
from walloc_data.codec import psnr
from walloc_data.entropy import RansCoder
from walloc_data.errors import SampleError
from walloc_data.train.similarity import si_sdr

CODECS = {
    "music": ("stereo-f256c108", "stereo-f256c108-learned", "stereo-f256c27"),
    "speech": ("mono-f128c32",),
    "digits": ("mono-f64c16",),
}
RATES = {"music": 44100, "speech": 16000, "digits": 8000}
TITLES = {  # of librosa's examples, by what their names begin with
    "147793__setuniman__sweet": "waltz, piano",
    "442789__lena-orsa__happy": "ragtime, piano",
    "456440__inspectorj__bird": "a robin",
    "Hungarian_Dance_number_5": "Hungarian Dance 5, strings",
    "Kevin_MacLeod_-_P_I_Tcha": "Sugar Plum Fairy",
    "Kevin_MacLeod_-_Vibe_Ace": "Vibe Ace, jazz",
    "admiralbob77_-_Choice_-_": "drum and bass",
    "pibble.hq": "a dog asleep",
    "sorohanro_-_solo-trumpet": "trumpet",
    "198-209-0000.hq": "198-209-0000",
    "3436-172162-0000.hq": "3436-172162-0000",
    "5703-47212-0000.hq": "5703-47212-0000",
}
_TAKES = 5
_EXCERPT = 15  # seconds that speeds are measured on


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Codecs of sound beside Opus, MP3 and FLAC.")
    for kind in CODECS:
        parser.add_argument(f"--{kind}", type=Path, help=f"folder of {kind}")
    parser.add_argument("--seconds", type=float, help="of the middle of each recording; unless given, all of it")
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    head = ["recording", "seconds", "codec", "ratio", "PSNR, dB", "SI-SDR, dB"]
    head += [f"{name}: {what}" for name in LOSSY for what in ("ratio", "PSNR", "SI-SDR")]
    rows: list[tuple[object, ...]] = [(*head, "FLAC: ratio")]
    speeds: list[dict[str, object]] = []
    for kind, names in CODECS.items():
        folder = getattr(arguments, kind)
        if folder is None:
            continue
        recordings = dict(digits(folder) if kind == "digits" else files(folder, kind))
        if arguments.seconds is not None:
            recordings = {name: middle(x, arguments.seconds * RATES[kind]) for name, x in recordings.items()}
        for name in names:
            rows += compare(load_codec(name), recordings, RATES[kind])
            longest = max(recordings.values(), key=lambda x: x.shape[1])
            excerpt = middle(longest, _EXCERPT * RATES[kind])
            speeds.append({"name": name, **speed(load_codec(name), excerpt, RATES[kind])})
    show("sound", rows, save=arguments.save, speeds=speeds)


def middle(x: Sound, samples: float) -> Sound:
    """So many samples in the middle of a recording."""
    wanted = round(samples)
    return x[:, max(0, x.shape[1] - wanted) // 2 :][:, :wanted]


def files(folder: Path, kind: str) -> Iterator[tuple[str, Sound]]:
    """Recordings of as many channels as the codecs take, by name; those of speech at their own rate of 16 kHz."""
    reader = AudioReader(channels=2 if kind == "music" else 1)
    for path in sorted(path for path in folder.iterdir() if path.suffix in AudioReader.suffixes):
        try:
            signal = reader.read(path, path.name)
        except SampleError:
            continue
        rate = int(signal.fields["rate"])
        if kind == "music" or rate == RATES[kind]:
            yield TITLES.get(path.stem[:24], path.stem[:24]), resampled(as_floats(signal.values), rate, RATES[kind])


def digits(folder: Path) -> Iterator[tuple[str, Sound]]:
    """The first takes of all digits of each speaker, one after the other."""
    reader = AudioReader(channels=1)
    for speaker in sorted({path.stem.split("_")[1] for path in folder.glob("*_*_*.wav")}):
        paths = [folder / f"{digit}_{speaker}_{take}.wav" for digit in range(10) for take in range(_TAKES)]
        yield speaker, np.concatenate([as_floats(reader.read(path, path.name).values) for path in paths], 1)


def compare(codec: Codec, recordings: dict[str, Sound], rate: int) -> Iterator[tuple[object, ...]]:
    """A row for each recording, and one of their means."""
    latents = {name: codec.encode(torch.from_numpy(x)[None]) for name, x in recordings.items()}
    coder = RansCoder.fit([z[0].numpy() for z in latents.values()])
    table = []
    for name, x in recordings.items():
        size, pcm = len(coder.encode(latents[name].numpy())[0]), 2 * x.size
        numbers = [pcm / size, *quality(codec.decode(latents[name], x.shape[1:])[0].numpy(), x)]
        for other in LOSSY:
            its_size, decoded = near(other, x, rate, size)
            numbers += [pcm / its_size, *quality(decoded, x)]
        table.append([*numbers, pcm / len(flac(x, rate))])
        yield (name, f"{x.shape[1] / rate:.0f}", codec.name, *(f"{number:.1f}" for number in table[-1]))
    means = np.mean(table, 0)
    means[::3] = 1 / np.mean(1 / np.array(table)[:, ::3], 0)  # ratios, whose inverses are rates
    yield ("mean", "", codec.name, *(f"{number:.1f}" for number in means))


def quality(decoded: Sound, x: Sound) -> tuple[float, float]:
    """PSNR and SI-SDR in dB, of all channels together."""
    one, other = torch.from_numpy(np.ascontiguousarray(decoded)), torch.from_numpy(x)
    return psnr(one, other, "audio"), si_sdr(one.flatten()[None], other.flatten()[None])


def speed(codec: Codec, x: Sound, rate: int) -> dict[str, str]:
    """Samples a second to encode and to decode, of the codec by itself, with its coder, and of the peers."""
    signal = torch.from_numpy(x)[None]
    z = codec.encode(signal)
    coder = RansCoder.fit([z[0].numpy()])
    [payload] = coder.encode(z.numpy())
    segment, out = np.array([[0, len(payload)]], np.uint64), np.empty(z.shape, np.int8)
    bit_rate = 8 * len(payload) * rate / x.shape[1]
    calls: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "codec": (partial(codec.encode, signal), partial(codec.decode, z)),
        "rans": (partial(coder.encode, z.numpy()), partial(coder.decode, payload, segment, out)),
        "FLAC": (partial(flac, x, rate), partial(AudioReader(channels=len(x)).read, flac(x, rate), "a.flac")),
    }
    for name in LOSSY:
        used = 48000 if name == "Opus" and rate > 16000 else rate
        data = encode(name, resampled(x, rate, used), used, bit_rate)
        calls[name] = (partial(encode, name, resampled(x, rate, used), used, bit_rate), partial(decode, data))
    seconds = partial(best_time, repeats=3, clock=time.process_time)
    return {name: " / ".join(f"{x.size / seconds(call) / 1e6:.1f}" for call in pair) for name, pair in calls.items()}


def as_floats(values: np.ndarray) -> Sound:
    """Sound as a reader gives it, as floats."""
    return np.asarray(values / 32768 if values.dtype == np.int16 else values, np.float32)


if __name__ == "__main__":
    main()
