"""The door: `walloc-shard SRC OUT` and `walloc <verb>`. Nothing heavy is imported before a verb runs."""

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from types import ModuleType

from walloc_data.cli.interrupts import Terminated, answered
from walloc_data.errors import WallocError

__all__ = ["main", "main_shard"]

_VERBS = {  # each has a module of its name here, with `add` (its arguments), `run`, and what it says when interrupted
    "shard": "Encode raw samples into shards of latents.",
    "fit": "Fit a codec to your own data.",
    "train": "Train a codec, or a decoder alone, on your own data.",
    "info": "Say what a dataset holds and where its bytes go.",
    "view": "Draw a picture of decoded samples.",
    "report": "Write all of it as one page for a browser.",
    "verify": "See whether every byte of a dataset is the one that was written; repair what is not.",
    "check": "The same, as version 0.1 called it.",
    "transcode": "Store a dataset with another coder, layout or size of shards, or coarser, without its source.",
    "append": "Add the new samples of a grown source to a dataset, as new shards.",
    "merge": "Make one dataset of several of one codec.",
    "filter": "Make a dataset of some samples of another.",
    "eval": "Judge codecs: rate, distortion and speed, beside other formats.",
    "decoder": "Give a dataset a better decoder; no shard is touched.",
    "push": "Push a dataset to the Hugging Face Hub.",
    "zoo": "List the codecs shipped with the package.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """`walloc`: exit status 0, 1 for what went wrong (said in a sentence), 2 for unusable arguments, 130 for Ctrl-C,
    143 for SIGTERM."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in _VERBS:
        return _run(given[0], f"walloc {given[0]}", given[1:])
    verbs = "\n".join(f"  {name:<10}{summary}" for name, summary in _VERBS.items())
    parser = argparse.ArgumentParser(
        prog="walloc",
        usage="walloc [-h] [--version] VERB ...",
        description="Datasets as small integer latents.",
        epilog=f"verbs (walloc VERB --help says more):\n{verbs}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"walloc-data {version('walloc-data')}")
    parser.add_argument("verb", metavar="VERB", choices=list(_VERBS), help="one of those below")
    parser.parse_args(given[:1])  # ends the program: there is no verb, or it is none
    return 2


def main_shard(arguments: Sequence[str] | None = None) -> int:
    """`walloc-shard`: the verb `shard` as a command of its own."""
    return _run("shard", "walloc-shard", list(sys.argv[1:] if arguments is None else arguments))


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def _run(verb: str, program: str, given: list[str]) -> int:
    with answered() as came:
        return _status(verb, program, given, came)


def _status(verb: str, program: str, given: list[str], came: list[int]) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files and classes may be in any script
    module: ModuleType | None = None
    try:
        module = importlib.import_module(f"walloc_data.cli.{verb}")
        parser = argparse.ArgumentParser(prog=program, description=_VERBS[verb], formatter_class=_Help)
        module.add(parser)
        module.run(parser.parse_args(given))
        sys.stdout.flush()
    except WallocError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        terminated = isinstance(error, Terminated) or signal.SIGTERM in came
        print(f"{'terminated' if terminated else 'interrupted'}{getattr(module, 'KEPT', '')}", file=sys.stderr)
        return 143 if terminated else 130
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):  # as torch says it
            raise
        print("error: there is not enough memory: use fewer workers, or read smaller signals", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output left
        return 0
    except OSError as error:
        print(f"error: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0
