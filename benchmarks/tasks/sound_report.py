"""Runs of a separation as a table, and what one input is worth more than another."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.tasks.separator import SoundRun
from benchmarks.tasks.sound_arms import SOUND_ARMS

__all__ = ["HEAD", "REFERENCE", "Difference", "differences", "summary"]

HEAD = (
    "input",
    "numbers a position",
    "epochs",
    "seeds",
    "SI-SDR, dB",
    "improvement, dB",
    "difference, dB",
    "true stem, dB",
    "bytes a second",
    "as FLAC",
    "songs/s",
    "loader's share",
    "training, s",
)
REFERENCE = SOUND_ARMS[0].name
_PAIRS = (  # latents, and the samples that they are compared to: as many numbers a position, and all of them
    ("latents f128c64", "rate / 2"),
    ("latents f128c64", REFERENCE),
    ("latents f128c128", REFERENCE),
)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much more SI-SDR `arm` comes to than `to` after as many epochs, in dB: the mean over seeds and songs.

    `over_seeds` is the standard deviation of what single seeds come to, `over_songs` the standard error of the mean
    that comes of judging on so few songs, from those of the last seed. Networks of all seeds learn from the same songs.
    """

    arm: str
    to: str
    epochs: int
    seeds: int
    mean: float
    over_seeds: float
    over_songs: float


def summary(runs: Sequence[SoundRun], flac: Mapping[str, float]) -> list[tuple[str, ...]]:
    """A row an arm and length of training: means over seeds, of SI-SDR also the standard deviation, and what it is more
    than the reference after as many epochs, seed by seed. `flac` gives bytes a second by arm, where they are known.
    """
    rows: list[tuple[str, ...]] = [HEAD]
    reference = {(run.epochs, run.seed): run.si_sdr for run in runs if run.arm == REFERENCE}
    for epochs, name in dict.fromkeys((run.epochs, run.arm) for run in runs):
        own = [run for run in runs if (run.epochs, run.arm) == (epochs, name)]
        more = [run.si_sdr - reference[epochs, run.seed] for run in own]
        seconds = sum(run.seconds for run in own)
        rows.append(
            (
                name,
                str(own[0].channels),
                str(epochs),
                str(len(own)),
                _spread([run.si_sdr for run in own]),
                f"{statistics.mean(run.si_sdr - run.mixture for run in own):.2f}",
                _spread(more, sign="+") if name != REFERENCE else "",
                f"{own[0].ceiling:.1f}" if own[0].ceiling < 60 else "all of it",
                f"{own[0].signal_rate:,.0f}",
                f"{flac[name]:,.0f}" if name in flac else "",
                f"{statistics.mean(run.samples_a_second for run in own):,.1f}",
                f"{sum(run.loader_seconds for run in own) / seconds:.0%}",
                f"{seconds / len(own):.1f}",
            )
        )
    return rows


def differences(runs: Sequence[SoundRun]) -> list[Difference]:
    """Of latents to samples, for every length of training that at least two seeds of both were given."""
    known = {(run.arm, run.epochs, run.seed): run for run in runs}
    found = []
    for epochs in dict.fromkeys(run.epochs for run in runs):
        for arm, to in _PAIRS:
            both = [
                (run, known[to, epochs, run.seed])
                for run in runs
                if (run.arm, run.epochs) == (arm, epochs) and (to, epochs, run.seed) in known
            ]
            if len(both) > 1:
                by_seed = [one.si_sdr - other.si_sdr for one, other in both]
                by_song = [x - y for x, y in zip(*(run.songs for run in both[-1]), strict=True)]
                found.append(
                    Difference(
                        arm=arm,
                        to=to,
                        epochs=epochs,
                        seeds=len(both),
                        mean=statistics.mean(by_seed),
                        over_seeds=statistics.stdev(by_seed),
                        over_songs=statistics.stdev(by_song) / len(by_song) ** 0.5,
                    )
                )
    return found


def _spread(values: Sequence[float], *, sign: str = "") -> str:
    """Mean and standard deviation in dB."""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{sign}.2f}{deviation}"
