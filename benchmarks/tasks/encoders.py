"""Which codec trains the best models at its size? `python -m benchmarks.tasks.encoders --data FOLDER --fit FOLDER ...`.

On the tasks of fonts, totals and photographs (`--data`), codecs of 12 and of 48 channels fitted to photographs
(`--fit`), as those of the zoo: with coarser steps, and with an emphasis on detail. In a work folder of those tasks,
runs that they made are not run again.
"""

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.results import add_save, show
from benchmarks.tasks.arms import Arm
from benchmarks.tasks.fonts import fonts_task
from benchmarks.tasks.photographs import photographs_task
from benchmarks.tasks.report import run_once, spread
from benchmarks.tasks.totals import totals_task
from benchmarks.tasks.training import Run
from benchmarks.zoo import ZOO, photographs
from walloc_data.codec import CodecConfig, fit
from walloc_data.format import Manifest
from walloc_data.zoo import load_codec, save_codec

__all__ = ["ENCODERS", "HEAD", "encoder_arms", "summary"]

ENCODERS = (  # a codec of the zoo, how much coarser, and with what emphasis
    ("rgb-f8c12", 1, 0.0),
    ("rgb-f8c12", 2, 0.0),
    ("rgb-f8c12", 4, 0.0),
    ("rgb-f8c12", 1, 0.5),
    ("rgb-f8c12", 1, 1.0),
    ("rgb-f8c48", 1, 0.0),
    ("rgb-f8c48", 2, 0.0),
    ("rgb-f8c48", 4, 0.0),
    ("rgb-f8c48", 1, 0.5),
    ("rgb-f8c48", 2, 0.5),
)
HEAD = ("codec", "task", "seeds", "accuracy, %", "difference", "bytes a sample")


def main() -> None:
    """Fit, train, print, and if asked save after each task."""
    parser = argparse.ArgumentParser(description="Codecs of other steps and weights, on three tasks.")
    parser.add_argument("--data", type=Path, required=True, help="image folder class/*.jpg, of the task of photographs")
    parser.add_argument("--fit", type=Path, nargs="+", required=True, help="folders of photographs to fit codecs to")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each codec")
    parser.add_argument("--work", type=Path, default=Path("tasks-data"), help="folder for what is made and run")
    add_save(parser)
    options = parser.parse_args()
    arms = encoder_arms(options.fit, options.work / "codecs")
    runs: dict[str, list[Run]] = {}
    for task in (
        fonts_task(options.work, quick=False),
        totals_task(options.work, quick=False),
        photographs_task(options.data, quick=False),
    ):
        runs[task.name] = [
            run_once(task, arm, seed, options.work / task.name) for seed in range(options.seeds) for arm in arms
        ]
        show(
            "tasks_encoders",
            summary(arms, runs),
            save=options.save,
            fitted_to=[folder.resolve().name for folder in options.fit],
            data=options.data.resolve().name,
            psnr={arm.name: _psnr(arm, options.work / "photographs") for arm in arms} if "photographs" in runs else {},
            runs={name: [asdict(run) for run in found] for name, found in runs.items()},
        )


def encoder_arms(folders: list[Path], out: Path) -> list[Arm]:
    """An arm a codec; with an emphasis it is fitted as `tools/train_zoo.py` does, to a file below `out`, made once."""
    out.mkdir(parents=True, exist_ok=True)
    arms = []
    for zoo, coarser, emphasis in ENCODERS:
        name = f"latents {zoo}" + f", steps x {coarser}" * (coarser > 1) + f", emphasis {emphasis}" * (emphasis > 0)
        file = out / f"{zoo}-emphasis-{emphasis}.safetensors"
        if emphasis and not file.exists():
            signal_channels, levels, channels, knee, _ = ZOO[zoo]
            config = CodecConfig(
                name=file.stem, kind="image", signal_channels=signal_channels, dims=2, levels=levels, wavelet="10/18"
            )
            known = photographs(folders, signal_channels)
            save_codec(fit(known, config, channels=channels, knee=knee, emphasis=emphasis), file)
        codec = str(file) if emphasis else zoo
        arms.append(Arm(name=name, codec=codec, coarser=coarser, against=f"latents {zoo}"))
    return arms


def _psnr(arm: Arm, work: Path) -> float:
    """PSNR in dB of what the task of photographs stored, as `walloc info` has it."""
    codec = load_codec(arm.codec or "").coarser(arm.coarser)
    return float(Manifest.read(work / codec.name).summary.psnr or 0.0)


def summary(arms: Sequence[Arm], runs: dict[str, list[Run]]) -> list[tuple[str, ...]]:
    """A row a codec and task: means over seeds, standard deviations, and what it is more than the zoo's."""
    rows: list[tuple[str, ...]] = [HEAD]
    for arm in arms:
        for task, found in runs.items():
            own = [run for run in found if run.arm == arm.name]
            against = {run.seed: run.accuracy for run in found if run.arm == arm.against}
            more = [run.accuracy - against[run.seed] for run in own]
            rows.append(
                (
                    arm.name.removeprefix("latents "),
                    task,
                    str(len(own)),
                    spread([run.accuracy for run in own]),
                    spread(more, sign="+") if arm.name != arm.against else "",
                    f"{statistics.mean(run.sample_bytes for run in own):,.0f}",
                )
            )
    return rows


if __name__ == "__main__":
    main()
