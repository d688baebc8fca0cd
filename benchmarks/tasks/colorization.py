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

from benchmarks.results import save, table
from benchmarks.tasks.chroma import from_ycc, psnr_each, read_crops, ssim_each, to_ycc
from benchmarks.tasks.planes import LatentPlanes, PixelPlanes, Planes, fit_planes

__all__ = ["ARMS", "HEAD", "ColorArm", "ColorRun", "Photographs", "judge", "read_photographs", "run_all", "summary"]

CROP, CUTS = 128, 2
_PLANES = slice(0, 1), slice(1, 3)  # of Y, Cb and Cr: luma, chroma
_WIDTH, _BLOCKS, _BATCH, _RATE, _DECAY, _EPOCHS = 48, 3, 64, 3e-3, 0.05, 4
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
    """Train, print, save."""
    parser = argparse.ArgumentParser(description="Predict the chroma of photographs from their luma.")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of photographs to learn from")
    parser.add_argument("--test", type=Path, required=True, help="folder of photographs to be judged on")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each arm")
    parser.add_argument("--quick", action="store_true", help="few photographs and one epoch; not saved")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = read_photographs(options.data, options.test, most=_QUICK if options.quick else None)
    runs, known = run_all(data, seeds=options.seeds, epochs=1 if options.quick else _EPOCHS)
    if options.quick:
        print(table(summary(runs, known)))
        return
    save(
        "tasks_colorization",
        summary(runs, known),
        samples={"train": len(data.train), "test": len(data.test)},
        epochs=_EPOCHS,
        data=[folder.resolve().name for folder in (*options.data, options.test)],
        runs=[asdict(run) for run in runs],
        known=[asdict(run) for run in known],
    )


def read_photographs(train: Sequence[Path], test: Path, *, most: int | None = None) -> Photographs:
    """Four squares of each photograph, or of `most` to learn from and as many to be judged on."""
    return Photographs(
        read_crops(train, crop=CROP, cuts=CUTS, most=most), read_crops([test], crop=CROP, cuts=CUTS, most=most)
    )


def run_all(data: Photographs, *, seeds: int, epochs: int) -> tuple[list[ColorRun], list[ColorRun]]:
    """All runs; and what is known without training: `grey` (no chroma), and each arm's true chroma as stored."""
    runs, known = [], [judge(data, "grey", 0, None, torch.full((len(data.test), 2, CROP, CROP), 0.5))]
    for arm in ARMS:
        luma, chroma = (_planes(arm, data.train, what) for what in _PLANES)
        sizes = (luma.channels, chroma.channels)
        given, shown, wanted, true = (
            torch.cat([planes.store(to_ycc(batch)[:, what]) for batch in torch.split(images, _BATCH)])
            for planes, what in zip((luma, chroma), _PLANES, strict=True)
            for images in (data.train, data.test)
        )
        stored = luma.to_signal(luma.to_network(shown))
        known.append(judge(data, arm.name, 0, stored, chroma.to_signal(chroma.to_network(true)), sizes=sizes))
        for seed in range(seeds):
            started = time.process_time()
            model = _train(luma, chroma, given, wanted, seed=seed, epochs=epochs)
            seconds = time.process_time() - started
            found = chroma.to_signal(_predict(model, luma.to_network(shown)))
            runs.append(judge(data, arm.name, seed, stored, found, sizes=sizes, seconds=seconds))
            print(runs[-1], flush=True)
    return runs, known


def judge(
    data: Photographs,
    arm: str,
    seed: int,
    stored: Tensor | None,
    chroma: Tensor,
    *,
    sizes: tuple[int, int] = (0, 0),
    seconds: float = 0.0,
) -> ColorRun:
    """How far test squares with this chroma (`[N, 2, H, W]`), and with luma as `stored`, are from the true ones."""
    parts = []
    for start in range(0, len(chroma), _BATCH):
        rgb, found = data.test[start : start + _BATCH], chroma[start : start + _BATCH]
        ycc, rgb = to_ycc(rgb), rgb / 255
        coloured = from_ycc(ycc[:, :1], found)
        own = coloured if stored is None else from_ycc(stored[start : start + _BATCH], found)
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
        inputs=sizes[0],
        outputs=sizes[1],
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


class _Network(nn.Module):
    """`[B, inputs, 16, 16]` to `[B, outputs, 16, 16]`: a 1x1 stem, residual blocks, a 1x1 head."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(inputs, _WIDTH, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(layer for _ in range(2) for layer in _convolution(_WIDTH))) for _ in range(_BLOCKS)
        )
        self.head = nn.Sequential(nn.BatchNorm2d(_WIDTH), nn.ReLU(), nn.Conv2d(_WIDTH, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = x + block(x)
        found: Tensor = self.head(x)
        return found


def _convolution(width: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False)]


class _Scaled(nn.Module):
    """A network between inputs and outputs that are scaled to one variance over all channels, whatever the arm."""

    def __init__(self, given: Tensor, wanted: Tensor) -> None:
        super().__init__()
        self.network = _Network(given.shape[1], wanted.shape[1])
        self.given, self.wanted = given.std(), wanted.std()

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            found: Tensor = self.network(x / self.given)
        return found.float() * self.wanted


def _train(luma: Planes, chroma: Planes, given: Tensor, wanted: Tensor, *, seed: int, epochs: int) -> nn.Module:
    """Mean squared error in what the arm stores; half the batches mirrored."""
    torch.manual_seed(seed)
    model = _Scaled(luma.to_network(given[:_FIT_CROPS]), chroma.to_network(wanted[:_FIT_CROPS]))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=_DECAY)
    batches = len(given) // _BATCH or 1
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=epochs * batches)
    for _ in range(epochs):
        for chosen in torch.randperm(len(given))[: batches * _BATCH].chunk(batches):
            mirror = bool(torch.rand(()) < 0.5)
            found = model(luma.to_network(given[chosen], mirror=mirror))
            loss = mse_loss(found / model.wanted, chroma.to_network(wanted[chosen], mirror=mirror) / model.wanted)
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
