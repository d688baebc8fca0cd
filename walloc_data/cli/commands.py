"""The door: `walloc-shard SRC OUT` and `walloc shard|fit|info|view|check|push|zoo`."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence

from walloc_data.cli.dataset import add_dataset, add_view, run_check, run_info, run_view
from walloc_data.cli.push import add_push, run_push
from walloc_data.cli.sources import add_fit, add_shard, run_fit, run_shard
from walloc_data.errors import WallocError
from walloc_data.zoo import load_codec, zoo_names

__all__ = ["main", "main_shard"]


def main(arguments: Sequence[str] | None = None) -> int:
    """`walloc`: exit status 0, 1 for what went wrong (said in a sentence), 2 for unusable arguments, 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(prog="walloc", description="Datasets as small integer latents.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (summary, add, run) in _VERBS.items():
        verb = verbs.add_parser(name, help=summary, description=summary, formatter_class=_Help)
        add(verb)
        verb.set_defaults(run=run)
    return _run(parser.parse_args(arguments))


def main_shard(arguments: Sequence[str] | None = None) -> int:
    """`walloc-shard`: the verb `shard` as a command of its own."""
    summary, add, run = _VERBS["shard"]
    parser = argparse.ArgumentParser(prog="walloc-shard", description=summary, formatter_class=_Help)
    add(parser)
    parser.set_defaults(run=run)
    return _run(parser.parse_args(arguments))


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def _run(arguments: argparse.Namespace) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files and classes may be in any script
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except WallocError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted{_KEPT.get(arguments.run, '')}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output left
        return 0
    except OSError as error:
        print(f"error: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def _zoo(arguments: argparse.Namespace) -> None:
    print(f"{'name':<18}{'input':>7}{'f':>4}{'channels':>10}{'fewer numbers':>15}  fingerprint")
    for name in zoo_names():
        codec = load_codec(name)
        config = codec.config
        fewer = config.packet_channels / codec.channels
        print(
            f"{name:<18}{config.signal_channels:>7}{codec.factor:>4}{codec.channels:>10}{fewer:>14g}x"
            f"  {codec.fingerprint}"
        )


def _nothing(parser: argparse.ArgumentParser) -> None:
    """A verb without arguments."""


_VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], None]]] = {
    "shard": ("Encode a folder of images into shards of latents.", add_shard, run_shard),
    "fit": ("Fit a codec to your own images.", add_fit, run_fit),
    "info": ("Say what a dataset holds and where its bytes go.", add_dataset, run_info),
    "view": ("Draw a picture of decoded samples.", add_view, run_view),
    "check": ("Compare every byte of a dataset with its manifest.", add_dataset, run_check),
    "push": ("Push a dataset to the Hugging Face Hub.", add_push, run_push),
    "zoo": ("List the codecs shipped with the package.", _nothing, _zoo),
}
_KEPT = {
    run_shard: ": finished shards are kept; run the same command again to go on",
    run_push: ": what was sent is kept; run the same command again to go on",
}
