"""Colour from grey: `python -m benchmarks.tasks.colorization --data FOLDER [FOLDER ...] --test FOLDER [--seeds 3]`.

A network on a grid of 16 x 16 positions is given the luma of a 128 x 128 square of a photograph and says its chroma,
both as latents (of codecs fitted to the photographs of `--data`, from which it learns too) or as pixels of lower
resolution, folded into the positions. Both come back to full size, and are judged in pixels on the photographs of
`--test`.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from benchmarks.results import add_save, show, table
from benchmarks.tasks.chroma import from_ycc, psnr_each, read_crops, ssim_each, to_ycc
from benchmarks.tasks.color_network import ColorNetwork
from benchmarks.tasks.planes import LatentPlanes, PixelPlanes, Planes, fit_planes

__all__ = [
    "ARMS",
    "HEAD",
    "ColorArm",
    "ColorRun",
    "Photographs",
    "Prepared",
    "grey",
    "judge",
    "prepare",
    "read_photographs",
    "run_once",
    "summary",
    "truth",
]

CROP, CUTS = 128, 2
_PLANES = slice(0, 1), slice(1, 3)  # of Y, Cb and Cr: luma, chroma
_BATCH, _RATE, _DECAY, _EPOCHS = 64, 3e-3, 0.05, 4
_FIT_CROPS, _QUICK = 1024, 8
HEAD = (
    "input and output",
    "numbers in, out",
    "seeds",
    "chroma PSNR, dB",
    "difference",
    "chroma SSIM",
    "RGB PSNR, dB",
    "RGB SSIM",
    "RGB PSNR, stored luma",
    "chroma PSNR of true chroma",
    "training, s",
)


@dataclass(frozen=True, kw_only=True)
class ColorArm:
    """Luma and chroma as latents of fitted codecs of so many channels, or as pixels, `fold` x `fold` a position.

    `against` names the arm with as many numbers a position, to which it is compared.
    """

    name: str
    channels: tuple[int, int] | None = None
    fold: int = 8
    against: str


ARMS = (
    ColorArm(name="pixels / 4", fold=2, against="pixels / 4"),
    ColorArm(name="latents of 4 and 8 channels", channels=(4, 8), against="pixels / 4"),
    ColorArm(name="pixels / 2", fold=4, against="pixels / 2"),
    ColorArm(name="latents of 16 and 32 channels", channels=(16, 32), against="pixels / 2"),
)


@dataclass(frozen=True)
class Photographs:
    """Squares of photographs, uint8 `[N, 3, 128, 128]`, to learn from and to be judged on."""

    train: Tensor
    test: Tensor


@dataclass(frozen=True)
class Prepared:
    """What an arm stores, 8 bits a number: luma `given` and chroma `wanted` to learn from, `shown` and `true` to judge
    on."""

    name: str
    luma: Planes
    chroma: Planes
    given: Tensor
    wanted: Tensor
    shown: Tensor
    true: Tensor


@dataclass(frozen=True, kw_only=True)
class ColorRun:
    """Means over the test squares: of chroma alone, of RGB with the true luma, and (PSNR) with the luma as stored.

    `inputs` and `outputs` are numbers a position, `seconds` processor time of training.
    """

    arm: str
    seed: int
    inputs: int
    outputs: int
    chroma_psnr: float
    chroma_ssim: float
    rgb_psnr: float
    rgb_ssim: float
    stored_psnr: float
    seconds: float


def main() -> None:
    """Train, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Predict the chroma of photographs from their luma.")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of photographs to learn from")
    parser.add_argument("--test", type=Path, required=True, help="folder of photographs to be judged on")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each arm")
    parser.add_argument("--quick", action="store_true", help="few photographs and one epoch; not saved")
    add_save(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = read_photographs(options.data, options.test, most=_QUICK if options.quick else None)
    prepared = [prepare(arm, data) for arm in ARMS]
    known = [grey(data), *(truth(each, data) for each in prepared)]
    runs: list[ColorRun] = []
    for seed in range(options.seeds):
        runs += [run_once(each, data, seed, epochs=1 if options.quick else _EPOCHS) for each in prepared]
        if not options.quick:
            show(
                "tasks_colorization",
                summary(runs, known),
                save=options.save,
                samples={"train": len(data.train), "test": len(data.test)},
                epochs=_EPOCHS,
                data=[folder.resolve().name for folder in (*options.data, options.test)],
                runs=[asdict(run) for run in runs],
                known=[asdict(run) for run in known],
            )
    if options.quick:
        print(table(summary(runs, known)))


def read_photographs(train: Sequence[Path], test: Path, *, most: int | None = None) -> Photographs:
    """Four squares of each photograph, or of `most` to learn from and as many to be judged on."""
    return Photographs(
        read_crops(train, crop=CROP, cuts=CUTS, most=most), read_crops([test], crop=CROP, cuts=CUTS, most=most)
    )


def prepare(arm: ColorArm, data: Photographs) -> Prepared:
    """What an arm stores of the photographs, with codecs fitted to those to learn from."""
    luma, chroma = (_planes(arm, data.train, what) for what in _PLANES)
    given, shown, wanted, true = (
        torch.cat([planes.store(to_ycc(batch)[:, what]) for batch in torch.split(images, _BATCH)])
        for planes, what in zip((luma, chroma), _PLANES, strict=True)
        for images in (data.train, data.test)
    )
    return Prepared(arm.name, luma, chroma, given, wanted, shown, true)


def grey(data: Photographs) -> ColorRun:
    """What no chroma at all comes to."""
    return judge(data, "grey", 0, None, torch.full((len(data.test), 2, CROP, CROP), 0.5))


def truth(arm: Prepared, data: Photographs) -> ColorRun:
    """What the true chroma comes to, as the arm stores it."""
    return judge(data, arm.name, 0, arm, arm.chroma.to_signal(arm.chroma.to_network(arm.true)))


def run_once(arm: Prepared, data: Photographs, seed: int, *, epochs: int) -> ColorRun:
    """Train and judge. The seed draws weights, order and mirrored batches."""
    started = time.process_time()
    model = _train(arm, seed=seed, epochs=epochs)
    seconds = time.process_time() - started
    found = arm.chroma.to_signal(_predict(model, arm.luma.to_network(arm.shown)))
    run = judge(data, arm.name, seed, arm, found, seconds=seconds)
    print(run, flush=True)
    return run


def judge(
    data: Photographs,
    arm: str,
    seed: int,
    stored: Prepared | None,
    chroma: Tensor,
    *,
    seconds: float = 0.0,
) -> ColorRun:
    """How far test squares with this chroma (`[N, 2, H, W]`), and with the luma that is `stored`, are from the true."""
    luma = None if stored is None else stored.luma.to_signal(stored.luma.to_network(stored.shown))
    parts = []
    for start in range(0, len(chroma), _BATCH):
        rgb, found = data.test[start : start + _BATCH], chroma[start : start + _BATCH]
        ycc, rgb = to_ycc(rgb), rgb / 255
        coloured = from_ycc(ycc[:, :1], found)
        own = coloured if luma is None else from_ycc(luma[start : start + _BATCH], found)
        measured = (
            *(measure(found, ycc[:, 1:]) for measure in (psnr_each, ssim_each)),
            *(measure(coloured, rgb) for measure in (psnr_each, ssim_each)),
            psnr_each(own, rgb),
        )
        parts.append(torch.stack(measured, 1))
    chroma_psnr, chroma_ssim, rgb_psnr, rgb_ssim, stored_psnr = torch.cat(parts).mean(0).tolist()
    return ColorRun(
        arm=arm,
        seed=seed,
        inputs=0 if stored is None else stored.luma.channels,
        outputs=0 if stored is None else stored.chroma.channels,
        chroma_psnr=chroma_psnr,
        chroma_ssim=chroma_ssim,
        rgb_psnr=rgb_psnr,
        rgb_ssim=rgb_ssim,
        stored_psnr=stored_psnr,
        seconds=seconds,
    )


def summary(runs: Sequence[ColorRun], known: Sequence[ColorRun]) -> list[tuple[str, ...]]:
    """A row for `grey` and for each arm: means over seeds, standard deviations of PSNR, differences seed by seed."""
    rows: list[tuple[str, ...]] = [HEAD]
    found = {(run.arm, run.seed): run.chroma_psnr for run in runs}
    against = {arm.name: arm.against for arm in ARMS}
    for base in known:
        own = [run for run in runs if run.arm == base.arm]
        more = [run.chroma_psnr - found[against[run.arm], run.seed] for run in own if against[run.arm] != run.arm]
        shown = own or [base]
        rows.append(
            (
                base.arm,
                f"{base.inputs}, {base.outputs}" if own else "",
                str(len(own)) if own else "",
                _spread([run.chroma_psnr for run in shown]),
                _spread(more, sign="+") if more else "",
                f"{statistics.mean(run.chroma_ssim for run in shown):.3f}",
                _spread([run.rgb_psnr for run in shown]),
                f"{statistics.mean(run.rgb_ssim for run in shown):.3f}",
                f"{statistics.mean(run.stored_psnr for run in shown):.2f}",
                f"{base.chroma_psnr:.2f}" if own else "",
                f"{statistics.mean(run.seconds for run in shown):.1f}" if own else "",
            )
        )
    return rows


def _spread(values: Sequence[float], *, sign: str = "") -> str:
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{sign}.2f}{deviation}"


def _planes(arm: ColorArm, images: Tensor, what: slice) -> Planes:
    """How an arm has luma or chroma."""
    some = to_ycc(images[:: -(-len(images) // _FIT_CROPS)])[:, what]
    if arm.channels is None:
        return PixelPlanes(some.shape[1], size=CROP, fold=arm.fold)
    return LatentPlanes(fit_planes(some, channels=arm.channels[_PLANES.index(what)]))


def _train(arm: Prepared, *, seed: int, epochs: int) -> nn.Module:
    """Mean squared error in what the arm stores; half the batches mirrored."""
    torch.manual_seed(seed)
    model = ColorNetwork(arm.luma.to_network(arm.given[:_FIT_CROPS]), arm.chroma.to_network(arm.wanted[:_FIT_CROPS]))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=_DECAY)
    batches = len(arm.given) // _BATCH or 1
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=epochs * batches)
    for _ in range(epochs):
        for chosen in torch.randperm(len(arm.given))[: batches * _BATCH].chunk(batches):
            mirror = bool(torch.rand(()) < 0.5)
            found = model(arm.luma.to_network(arm.given[chosen], mirror=mirror))
            loss = mse_loss(
                found / model.wanted, arm.chroma.to_network(arm.wanted[chosen], mirror=mirror) / model.wanted
            )
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    return model


@torch.no_grad()
def _predict(model: nn.Module, x: Tensor) -> Tensor:
    model.eval()
    return torch.cat([model(batch) for batch in torch.split(x, _BATCH)])


if __name__ == "__main__":
    main()
