"""How latents are best given to a network: `python -m benchmarks.tasks.recipe [--seeds 3] [--quick]`, on `fonts`.

Channels at one scale (what `Codec.dequantize` gives), at unit variance, or between the two, and with no stem.
"""

from dataclasses import replace

from benchmarks.tasks.arms import Arm
from benchmarks.tasks.fonts import fonts_task
from benchmarks.tasks.report import arguments, compare

__all__ = ["RECIPES"]

_CODECS = ("rgb-f8c12", "rgb-f8c48")
RECIPES = tuple(
    Arm(name=f"{codec}, {what}", codec=codec, power=power, stem=stem, against=f"{codec}, one scale")
    for codec in _CODECS
    for what, power, stem in (
        ("one scale", 0.0, True),
        ("square root", 0.5, True),
        ("unit variance", 1.0, True),
        ("one scale, no stem", 0.0, False),
    )
)


def main() -> None:
    """Train, print, save."""
    options = arguments("Scales and stems for latents, on the task of fonts.")
    task = replace(fonts_task(options.work, quick=options.quick), name="recipe")
    compare(task, options, RECIPES)


if __name__ == "__main__":
    main()
