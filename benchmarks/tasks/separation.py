"""Take one instrument out of a mixture: `python -m benchmarks.tasks.separation [--stem drums] [--longer] [--quick]`.

Songs of 1.5 seconds at 44.1 kHz, one channel, random notes of melody, chords, bass and drums played by a General MIDI
soundfont (`songs`), mixed at random gains. Songs to validate on are others, played by the same instruments. Needs
fluidsynth, a soundfont and flac (Debian: `apt install fluidsynth fluid-soundfont-gm flac`), but for `--quick`, which
plays tones and does without FLAC.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.results import add_save, show, table
from benchmarks.tasks.flac import flac_bytes
from benchmarks.tasks.separator import SoundRun, separate
from benchmarks.tasks.songs import LENGTH, RATE, ROLES, SOUNDFONT, render_stems
from benchmarks.tasks.sound import mix
from benchmarks.tasks.sound_arms import FACTOR, SOUND_ARMS, SoundArm, prepare_sound
from benchmarks.tasks.sound_report import differences, summary

__all__ = ["flac_rates", "load_songs", "run_once"]

_MAIN = tuple(arm for arm in SOUND_ARMS if arm.channels >= 64)  # the others hold too little of the stem, or are worse
_COUNTS = {"train": 800, "val": 100}
_SHORT, _LONG = 4, 16  # epochs
_GAIN = 6.0  # dB; a stem's level is drawn from -6 to 6


def main() -> None:
    """Train, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Take one instrument out of a mixture.")
    parser.add_argument("--stem", choices=ROLES, default="drums", help="what to take out")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each arm")
    parser.add_argument("--longer", action="store_true", help=f"train for {_LONG} epochs too, not only for {_SHORT}")
    parser.add_argument(
        "--more",
        action="store_true",
        help="inputs of fewer numbers too, not rounded or otherwise scaled (short training)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few songs of plain tones, to see that it works; not saved"
    )
    parser.add_argument("--soundfont", type=Path, default=SOUNDFONT, help="a General MIDI bank, .sf2")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("tasks-data"),
        help="folder for what is rendered, stored and run; delete it to start anew",
    )
    add_save(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    counts, short, long = ({"train": 16, "val": 8}, 1, 2) if options.quick else (_COUNTS, _SHORT, _LONG)
    work = options.work / f"separation-{options.stem}-{counts['train']}"
    soundfont = None if options.quick else options.soundfont
    signals = load_songs(options.work, options.stem, counts, soundfont)
    flac = {} if options.quick else flac_rates(signals, work)
    plan = [(short, SOUND_ARMS if options.more else _MAIN)] + ([(long, _MAIN)] if options.longer else [])
    runs: list[SoundRun] = []
    for epochs, seed, arm in [
        (epochs, seed, arm) for epochs, arms in plan for seed in range(options.seeds) for arm in arms
    ]:
        runs.append(run_once(signals, arm, seed, epochs=epochs, work=work))
        if len(runs) >= len(plan[0][1]) and not options.quick:
            _keep(options.stem, runs, flac, counts=counts, soundfont=options.soundfont, save=options.save)
    if options.quick:
        print(table(summary(runs, flac)))


def _keep(
    stem: str,
    runs: Sequence[SoundRun],
    flac: Mapping[str, float],
    *,
    counts: dict[str, int],
    soundfont: Path,
    save: bool,
) -> None:
    """Print the table of runs, and `save` it with what they differ by and all that was run, but for single songs."""
    show(
        f"tasks_separation_{stem}",
        summary(runs, flac),
        save=save,
        stem=stem,
        songs=counts,
        seconds_a_song=LENGTH / RATE,
        rate=RATE,
        soundfont=soundfont.stem,
        flac=dict(flac),
        differences=[asdict(difference) for difference in differences(runs)],
        runs=[{key: value for key, value in asdict(run).items() if key != "songs"} for run in runs],
    )


def load_songs(work: Path, stem: str, counts: dict[str, int], soundfont: Path | None) -> dict[str, Tensor]:
    """Mixture and stem, int16 `[songs, 2, LENGTH]` a split, of songs rendered below `work`; see `render_stems`."""
    signals = {}
    for split, count in counts.items():
        out = work / f"songs-{split}-{count}{'' if soundfont else '-tones'}"
        names = [f"{split} {number}" for number in range(count)]
        files = render_stems(out, names, soundfont)
        stems = torch.stack([torch.from_numpy(np.load(files[role])) for role in ROLES], 1)
        draw = torch.Generator().manual_seed(len(names))
        gains = (2 * torch.rand(stems.shape[:2], generator=draw) - 1) * _GAIN
        mixed = [mix(*parts) for parts in zip(torch.split(stems, 16), torch.split(gains, 16), strict=True)]
        chosen = [0, 1 + ROLES.index(stem)]
        signals[split] = torch.cat([(part[:, chosen] * 32767).round().to(torch.int16) for part in mixed])
    return signals


def flac_rates(signals: Mapping[str, Tensor], work: Path) -> dict[str, float]:
    """Bytes of FLAC a second of a signal, by the name of the arm, of all samples that arms store."""
    rates = {}
    for arm in SOUND_ARMS:
        if not arm.latents:
            splits = prepare_sound(signals, arm, work).splits.values()
            stored = torch.cat([torch.cat(pairs.__getitems__(list(range(len(pairs))))) for pairs in splits]).numpy()
            total = flac_bytes(stored, RATE * arm.channels // FACTOR, work / "flac")
            rates[arm.name] = total / len(stored) / (LENGTH / RATE)
    return rates


def run_once(signals: dict[str, Tensor], arm: SoundArm, seed: int, *, epochs: int, work: Path) -> SoundRun:
    """One run, or what is known of it already."""
    file = work / "runs" / f"{arm.name.replace('/', 'over')} {seed}, {epochs}.json"
    if file.exists():
        return SoundRun(**json.loads(file.read_text("utf-8")))
    run = separate(signals, arm, seed, epochs=epochs, work=work)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(run)), "utf-8")
    print(run, flush=True)
    return run


if __name__ == "__main__":
    main()
