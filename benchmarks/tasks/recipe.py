"""How latents are best given to a network: `python -m benchmarks.tasks.recipe [--seeds 3] [--quick]`, on `fonts`.

Channels at one scale (what `Codec.dequantize` gives), at unit variance, or between; with no stem; and of a codec
fitted to the task's own images. In the work folder of `fonts`, runs that it made are not run again.
"""

from benchmarks.tasks.arms import Arm
from benchmarks.tasks.fonts import fonts_task
from benchmarks.tasks.report import arguments, compare

__all__ = ["RECIPES"]

_ZOO = "rgb-f8c12", "rgb-f8c48"
RECIPES = (
    *(
        Arm(name=f"latents {codec}{what}", codec=codec, power=power, against=f"latents {codec}")
        for codec in _ZOO
        for what, power in (("", 0.0), (", square root", 0.5), (", unit variance", 1.0))
    ),
    Arm(name="latents rgb-f8c48, no stem", codec="rgb-f8c48", stem=False, against="latents rgb-f8c48"),
    Arm(name="latents fitted-c12", codec="fitted-c12", against="latents rgb-f8c12"),
)


def main() -> None:
    """Train, print, and save if asked."""
    options = arguments("Scales and stems for latents, on the task of fonts.")
    compare(fonts_task(options.work, quick=options.quick), options, RECIPES, name="recipe")


if __name__ == "__main__":
    main()
