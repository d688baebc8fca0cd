"""What augmentation gains on latents and on pixels: `python -m benchmarks.tasks.augmentation --data FOLDER`.

On the task of photographs, where training images are few: windows of a canvas of 160 pixels, which latents can be cut
from at the positions of their grid alone, 8 pixels apart, and inputs and answers mixed. All arms flip.
"""

from benchmarks.tasks.arms import Arm
from benchmarks.tasks.photographs import photographs_task
from benchmarks.tasks.report import arguments, compare

__all__ = ["AUGMENTED"]

CANVAS, MIXUP = 32, 0.2
_PIXELS = "pixels / 2, JPEG 95"


def _latents(codec: str) -> tuple[Arm, ...]:
    plain = f"latents {codec}"
    return (
        Arm(name=plain, codec=codec, against=plain),
        Arm(name=f"{plain}, windows", codec=codec, canvas=CANVAS, against=plain),
        Arm(name=f"{plain}, mixed", codec=codec, mixup=MIXUP, against=plain),
        Arm(name=f"{plain}, windows, mixed", codec=codec, canvas=CANVAS, mixup=MIXUP, against=plain),
    )


AUGMENTED = (
    Arm(name=_PIXELS, fold=4, quality=95, against=_PIXELS),
    Arm(name=f"{_PIXELS}, windows at any pixel", fold=4, quality=95, canvas=CANVAS, any_pixel=True, against=_PIXELS),
    Arm(name=f"{_PIXELS}, windows on the grid", fold=4, quality=95, canvas=CANVAS, against=_PIXELS),
    Arm(name=f"{_PIXELS}, mixed", fold=4, quality=95, mixup=MIXUP, against=_PIXELS),
    *_latents("rgb-f8c12"),
    *_latents("rgb-f8c48"),
)


def main() -> None:
    """Train, print, and save if asked."""
    options = arguments("Windows of a larger canvas, and mixup.", data=True)
    compare(photographs_task(options.data, quick=options.quick), options, AUGMENTED, name="augmentation")


if __name__ == "__main__":
    main()
