"""One training: its steps, its log, its checkpoints, and the codec that it comes to."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from tqdm import tqdm

from walloc_data.codec import Codec
from walloc_data.errors import TrainError
from walloc_data.train.batches import Batches
from walloc_data.train.checkpoint import Checkpoint, checkpoint_path
from walloc_data.train.finish import finished_codec, settled_steps, spread_of
from walloc_data.train.gradients import Gradients
from walloc_data.train.judge import Judged, draw, judge
from walloc_data.train.log import Log
from walloc_data.train.model import Model, finer_of, initial_tensors
from walloc_data.train.optimiser import Optimiser, frozen_from
from walloc_data.train.options import TrainOptions
from walloc_data.train.precision import autocast_dtype, fastest, precisely, precisions_of, seconds
from walloc_data.train.processes import Processes
from walloc_data.train.samples import Samples
from walloc_data.zoo import save_codec

__all__ = ["TrainedCodec", "Training"]

_T = TypeVar("_T")
_TOGETHER = 50  # steps between looks at the losses, for which a GPU has to be waited for
_PREPARED, _TIMED, _TIMED_SECONDS = 3, 50, 4.0  # steps whose time is taken: some before, at most so many, and so long


@dataclass(frozen=True)
class TrainedCodec:
    """The `codec`, the `steps` that it was trained for, of a `total`, what it came to on samples that were kept for
    that (`after`) and what its start had come to (`before`), and `notes` on the samples. Of several processes, the
    `first` has written it."""

    codec: Codec
    steps: int
    total: int
    before: Judged
    after: Judged
    notes: tuple[str, ...] = ()
    first: bool = True

    @property
    def complete(self) -> bool:
        """Whether all steps are done."""
        return self.steps == self.total


class Training:
    """The training of a codec on samples, from its checkpoint beside `out` on where there is one."""

    def __init__(
        self,
        codec: Codec,
        samples: Samples,
        options: TrainOptions,
        device: torch.device,
        identity: dict[str, Any],
        out: Path,
        processes: Processes,
    ) -> None:
        self.codec, self.samples, self.options, self.identity, self.out = codec, samples, options, identity, out
        self.device, self.processes = device, processes
        tensors = initial_tensors(codec, options, spread_of(codec, samples.packets, finer_of(codec, options)))
        tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
        processes.equalise(tuple(tensors.values()))
        with processes.alike():
            found = Checkpoint.read(checkpoint_path(out), tensors, identity)
        processes.agree({"checkpoint of step": found and found.step, **identity, "minutes": options.minutes})
        self.model = Model(codec, tensors, codec.steps.to(device), options)
        self.batches = Batches(
            samples, codec, batch=options.batch, seed=options.seed, share=processes.share(options.batch)
        )
        self.unit = self._unit()
        if options.precision != "auto":
            self.precision = options.precision
        elif found is not None:
            self.precision = found.precision
        else:
            self.precision = self._fastest(precisions_of(device), lambda each: self._try(each, False))
        if device.type != "cpu":
            self.model.channels_first = self._fastest((False, True), lambda each: self._try(self.precision, each))
        if found is not None:
            self.options = replace(options, steps=found.total)
        elif options.total_minutes is not None:
            self.options = replace(options, steps=max(1, int(60 * options.total_minutes / self._seconds())))
        options = self.options
        self.optimiser = Optimiser(tensors, options)
        self.done = 0
        if found is not None:
            self.done, self.model.steps = found.step, found.steps.to(device)
            self.optimiser.restore(found.step, found.tensors, found.averages, found.first, found.second)
        self.frozen = frozen_from(options)
        if self.done >= self.frozen:
            self.optimiser.freeze()
        self.gradients = self._gradients(self.model, self.optimiser, self.precision)
        self.before = judge(codec, samples.judged)
        with processes.alike():
            self.log = Log(out.with_suffix(".jsonl") if processes.first else None, self.done)
            if not self.done:
                facts = {"samples": len(samples.packets), "window": samples.window, "device": str(device)}
                self.log.add({"step": 0, "precision": self.precision, **facts, **self.before._asdict()})

    def run(self, *, progress: bool) -> None:
        """Steps until all are done, or the minutes are over."""
        started, options = time.monotonic(), self.options
        losses: list[Tensor] = []
        with tqdm(
            total=options.steps, initial=self.done, unit=" steps", disable=not progress or None, smoothing=0.05
        ) as bar:
            while self.done < options.steps:
                if self.done == self.frozen and not options.decoder_only:
                    self._freeze()
                losses.append(self._step(self.done))
                self.done += 1
                bar.update()
                over = options.minutes is not None and self._is_over(started + 60 * options.minutes)
                keeps = over or self.done % options.checkpoint_steps == 0 or self.done == options.steps
                judges = self.done % options.validate_steps == 0 and self.done < options.steps
                if keeps or judges or self.done % _TOGETHER == 0:
                    with self.processes.alike():
                        if keeps or self.done % _TOGETHER == 0:
                            bar.set_postfix_str(self._look(losses))
                            losses = []
                        if keeps:
                            self._checkpoint()
                        if judges and self.processes.first:
                            self.log.add({"step": self.done, **judge(self._codec(), self.samples.judged)._asdict()})
                if over:
                    break

    def conclude(self) -> TrainedCodec:
        """Write the codec and its picture, and say what it came to."""
        codec = self._codec()
        after = judge(codec, self.samples.judged)
        first, notes = self.processes.first, tuple(self.samples.notes)
        with self.processes.alike():
            if first:
                save_codec(codec, self.out)
                draw(self.out.with_suffix(".png"), (self.codec, codec), self.samples.judged)
                self.log.add({"step": self.done, **after._asdict()})
        return TrainedCodec(codec, self.done, self.options.steps, self.before, after, notes, first)

    def _step(self, number: int) -> Tensor:
        packets = self.batches(number)
        batch = [packets, self.batches.times(number, self.options.coarsest)]
        if number < self.frozen:
            batch.append(self.batches.noise(number, packets[..., : self.codec.channels]))
        losses = self.processes.average(self.gradients(*batch), self.optimiser.learning)
        self.optimiser.step(number)
        return losses

    def _gradients(self, model: Model, optimiser: Optimiser, precision: str) -> Gradients:
        """Of the total loss, in units of what it was; the error and bits come with it."""

        def losses(packets: Tensor, times: Tensor, noise: Tensor | None = None) -> Tensor:
            loss = model.loss(packets, times, noise, autocast_dtype(precision))
            return torch.stack([loss.total / self.unit, loss.error, loss.bits])

        return Gradients(losses, optimiser.learning)

    def _look(self, losses: list[Tensor]) -> str:
        """Log the means of some steps. Raises `TrainError` where one is not finite."""
        found = torch.stack(losses).float().cpu()
        wrong = (~torch.isfinite(found).all(1)).nonzero()
        if len(wrong):
            raise self._not_finite(self.done - len(losses) + int(wrong[0]))
        total, error, bits = found.mean(0).tolist()
        self.log.add({"step": self.done, "loss": total, "error": error, "bits_a_position": bits})
        return f"loss {total:.4f}, {bits:.2f} bits a position"

    def _not_finite(self, step: int) -> TrainError:
        last = checkpoint_path(self.out)
        kept = f"the last checkpoint, {last}, is kept" if last.exists() else "there was no checkpoint yet"
        also = "" if self.precision == "float32" else ", or with precision float32"
        return TrainError(
            f"training is not finite at step {step}: {kept}. Train with a smaller learning rate{also}, or more samples"
        )

    def _freeze(self) -> None:
        """From here on latents are rounded: averages are taken, steps settled, and the encoder stays."""
        self.optimiser.settle()
        self.optimiser.freeze()
        self.model.steps = settled_steps(self.model, self.samples.packets)
        self.processes.equalise((self.model.steps,))
        self.gradients = self._gradients(self.model, self.optimiser, self.precision)

    def _checkpoint(self) -> None:
        if not all(bool(torch.isfinite(tensor).all()) for tensor in self.optimiser.tensors.values()):
            raise self._not_finite(self.done - 1)  # a gradient was not, though the loss was
        if not self.processes.first:
            return
        first, second = self.optimiser.moments()
        Checkpoint(
            step=self.done,
            tensors=self.optimiser.tensors,
            averages=self.optimiser.averages,
            first=first,
            second=second,
            steps=self.model.steps,
            identity=self.identity,
            precision=self.precision,
            total=self.options.steps,
        ).write(checkpoint_path(self.out))

    def _codec(self) -> Codec:
        return finished_codec(self.model, self.optimiser.averages, self.out.stem, self.samples.packets)

    @torch.no_grad()
    def _unit(self) -> float:
        """What losses are measured in: that of the codec as it was, on some of the batches; 1 for relative ones."""
        if self.options.relative:
            return 1.0
        numbers, coarsest = range(-4, 0), self.options.coarsest
        found = [
            float(self.model.loss(self.batches(n), self.batches.times(n, coarsest), None, None).total) for n in numbers
        ]
        return max(self.processes.mean(sum(found) / len(found)), 1e-12)

    def _seconds(self) -> float:
        """Of a step, on average of some that change nothing."""
        step = self._trial(self.precision, self.model.channels_first, self.options.batch)
        with precisely(self.precision):
            for number in range(_PREPARED):  # what is prepared once does not count
                step(number)
            count = max(1, min(_TIMED, int(_TIMED_SECONDS / max(1e-9, seconds(self.device, partial(step, 0))))))

            def some() -> None:
                for number in range(count):
                    step(number)

            return self.processes.decided(seconds(self.device, some) / count)

    def _fastest(self, ways: Sequence[_T], run: Callable[[_T], None]) -> _T:
        """As the first process measures it."""
        return ways[int(self.processes.decided(ways.index(fastest(self.device, ways, run))))]

    def _is_over(self, until: float) -> bool:
        """By the clock of the first process."""
        return bool(self.processes.decided(time.monotonic() > until))

    def _try(self, precision: str, channels_first: bool) -> None:
        """A step that changes nothing, on the CPU of two windows."""
        windows = 2 if self.device.type == "cpu" else self.options.batch
        with precisely(precision):
            self._trial(precision, channels_first, windows)(0)

    def _trial(self, precision: str, channels_first: bool, windows: int) -> Callable[[int], None]:
        """Steps of so many windows, on tensors of their own."""
        tensors = {name: tensor.detach().clone() for name, tensor in self.model.tensors.items()}
        model = Model(self.codec, tensors, self.model.steps, self.options, channels_first)
        optimiser = Optimiser(tensors, self.options)
        gradients = self._gradients(model, optimiser, precision)

        def step(number: int) -> None:
            packets = self.batches(number)[:windows]
            times = self.batches.times(number, self.options.coarsest)[:windows]
            gradients(packets, times, self.batches.noise(number, packets[..., : self.codec.channels]))
            optimiser.step(number)

        return step
