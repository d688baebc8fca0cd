"""Random short songs of four instruments, rendered from a General MIDI soundfont by fluidsynth: stems that anyone
can make.

Debian's packages are `fluidsynth` and `fluid-soundfont-gm`; another soundfont with a General MIDI bank will do.
"""

import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.stored import made_once

RATE, LENGTH = 44100, 1 << 16  # samples a second, and of a song: 1.5 seconds
ROLES = ("melody", "chords", "bass", "drums")
SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
_PROGRAMS = {
    "melody": (11, 40, 41, 42, 56, 57, 60, 64, 65, 66, 68, 71, 72, 73, 75, 79, 80, 81),
    "chords": (0, 1, 2, 4, 5, 6, 7, 16, 18, 19, 21, 24, 25, 27, 48, 50, 89, 90),
    "bass": (32, 33, 34, 35, 36, 38, 39),
    "drums": (0, 8, 16, 24, 25, 32),
}
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))
_KICK, _SNARES, _HATS, _CRASH, _TOMS = 36, (38, 40, 39, 37), (42, 42, 46, 51, 44, 54), 49, (41, 45, 47, 50)
_TICKS = 1000  # a second
_SILENCE, _RELEASE = 120, 0.1  # the controller that ends all sounds; seconds before a song's end that notes end

Note = tuple[float, float, int, int]  # start and length in seconds, key, velocity


def render_stems(out: Path, songs: Sequence[str], soundfont: Path = SOUNDFONT) -> NDArray[np.float32]:
    """Stems float32 `[songs, roles, LENGTH]` at 44.1 kHz, one channel; made once, below `out`.

    Each song is drawn from its name. Raises SystemExit, with the package to install, where there is no fluidsynth or no
    such soundfont.
    """
    if not out.exists() and (shutil.which("fluidsynth") is None or not soundfont.exists()):
        raise SystemExit(f"no fluidsynth, or no {soundfont}: `apt install fluidsynth fluid-soundfont-gm`")

    def make(folder: Path) -> None:
        drawn = [song(random.Random(name)) for name in songs]
        stems = (render([each[role] for each in drawn], role, soundfont).mean(2) for role in ROLES)
        np.save(folder / "stems.npy", np.stack(list(stems), 1))

    stems: NDArray[np.float32] = np.load(made_once(out, make) / "stems.npy")
    return stems


def song(draw: random.Random) -> dict[str, tuple[int, list[Note]]]:
    """A program and the notes of each role, in a key and a tempo."""
    beat, scale, key = 60 / draw.uniform(70, 160), draw.choice(_SCALES), draw.randrange(12)
    beats, span = int(LENGTH / RATE / beat) + 1, draw.choice((2, 4))
    roots = [draw.randrange(7) for _ in range(beats // span + 1)]
    pitches = [12 * octave + key + step for octave in range(10) for step in scale]
    notes = {
        "melody": _melody(draw, beats, pitches),
        "chords": list(_chords(draw, beats, span, roots, pitches)),
        "bass": _bass(draw, beats, span, roots, pitches),
        "drums": list(_drums(draw, beats)),
    }
    end = LENGTH / RATE - _RELEASE

    def played(at: float, length: float, key: int, force: int) -> Note:
        return at * beat, min(length * beat, end - at * beat), key, force + draw.randint(-12, 12)

    return {
        role: (draw.choice(_PROGRAMS[role]), [played(*note) for note in notes[role] if note[0] * beat < end])
        for role in ROLES
    }


def _melody(draw: random.Random, beats: int, pitches: list[int]) -> list[Note]:
    place, at, notes = draw.randint(33, 47), draw.choice((0.0, 0.5)), list[Note]()
    while at < beats:
        length = draw.choice((0.25, 0.5, 0.5, 0.75, 1.0, 1.5))
        if draw.random() < 0.85 or not notes:
            notes.append((at, 0.95 * length, pitches[place], 95))
        place = max(30, min(52, place + draw.choice((-3, -2, -1, -1, 0, 1, 1, 2, 3))))
        at += length
    return notes


def _chords(draw: random.Random, beats: int, span: int, roots: list[int], pitches: list[int]) -> Iterator[Note]:
    step, broken, place = draw.choice((0.5, 1.0, float(span))), draw.random() < 0.4, draw.randint(26, 31)
    off = 0.5 if step == 1 and draw.random() < 0.4 else 0.0
    for number in range(int(beats / step)):
        at = number * step
        tones = [pitches[place + roots[int(at // span)] + third] for third in (0, 2, 4)]
        chosen = [tones[number % 3]] if broken and step < 1 else tones
        yield from ((at + off, 0.9 * step, tone, 75) for tone in chosen)


def _bass(draw: random.Random, beats: int, span: int, roots: list[int], pitches: list[int]) -> list[Note]:
    step, leaps = draw.choice((0.5, 1.0, 1.0, 2.0)), draw.choice((0, 0, 4, 7))
    return [
        (number * step, 0.9 * step, pitches[14 + roots[int(number * step // span)] + leaps * (number % 2)], 95)
        for number in range(int(beats / step))
        if draw.random() < 0.9 or not number
    ]


def _drums(draw: random.Random, beats: int) -> Iterator[Note]:
    step, hat, snare = draw.choice((0.25, 0.5, 0.5)), draw.choice(_HATS), draw.choice(_SNARES)
    kicks = {0.0} | {number / 2 for number in range(8) if draw.random() < 0.3}
    if draw.random() < 0.3:
        yield 0.0, 1.0, _CRASH, 90
    for number in range(int(beats / step)):
        at = number * step
        if draw.random() < 0.95:
            yield at, 0.2, hat, 75 if at % 1 else 95
        if at % 4 in kicks:
            yield at, 0.2, _KICK, 105
        if at % 2 == 1 or draw.random() < 0.05:
            yield at, 0.2, snare, 100
        if draw.random() < 0.05:
            yield at, 0.2, draw.choice(_TOMS), 95


def midi(role: str, songs: Sequence[tuple[int, list[Note]]]) -> bytes:
    """A Standard MIDI File (format 0) of songs one after the other, each of `LENGTH` samples; a tick is 1 ms."""
    channel, events = 9 if role == "drums" else 0, list[tuple[int, int, bytes]]()  # the tenth is percussion
    for number, (program, notes) in enumerate(songs):
        start = number * LENGTH / RATE
        found = [(start, 0, (0xB0 | channel, _SILENCE, 0)), (start, 1, (0xC0 | channel, program))]
        found += [(start + at + length, 2, (0x80 | channel, key, 0)) for at, length, key, _ in notes]
        found += [(start + at, 3, (0x90 | channel, key, velocity)) for at, _, key, velocity in notes]
        events += [(round(_TICKS * seconds), order, bytes(event)) for seconds, order, event in found]
    last = round(_TICKS * len(songs) * LENGTH / RATE)
    track, now = b"\0\xff\x51\x03" + (1_000_000).to_bytes(3, "big"), 0
    for tick, _, event in [*sorted(events), (last, 4, b"\xff\x2f\0")]:
        track += bytes((tick - now) >> shift & 127 | (128 if shift else 0) for shift in (21, 14, 7, 0)) + event
        now = tick
    header = b"MThd" + (6).to_bytes(4, "big") + b"\0\0\0\1" + _TICKS.to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + track


def render(parts: Sequence[tuple[int, list[Note]]], role: str, soundfont: Path = SOUNDFONT) -> NDArray[np.float32]:
    """What fluidsynth makes of songs, without its reverb and chorus: float32 `[songs, LENGTH, 2]`."""
    options = ["-ni", "-q", "-R", "0", "-C", "0", "-g", "0.5", "-r", str(RATE), "-T", "raw", "-O", "float"]
    with tempfile.TemporaryDirectory() as folder:
        file, raw = Path(folder, "songs.mid"), Path(folder, "songs.raw")
        file.write_bytes(midi(role, parts))
        subprocess.run(["fluidsynth", *options, "-F", raw, soundfont, file], check=True, stdout=subprocess.DEVNULL)
        stereo = np.fromfile(raw, "<f4")
    whole = np.zeros(2 * len(parts) * LENGTH, np.float32)
    whole[: len(stereo)] = stereo[: len(whole)]
    return whole.reshape(len(parts), LENGTH, 2)
