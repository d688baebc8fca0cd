"""The verb `zoo`."""

import argparse

__all__ = ["add", "run"]


def add(parser: argparse.ArgumentParser) -> None:
    """It has no arguments."""


def run(arguments: argparse.Namespace) -> None:
    """List the codecs of the package."""
    from walloc_data.zoo import load_codec, zoo_names

    names = zoo_names()
    width = max(map(len, names))
    print(f"{'name':<{width}}{'input':>7}{'f':>7}{'channels':>10}{'fewer numbers':>15}{'decoder':>9}  fingerprint")
    for name in names:
        codec = load_codec(name)
        config = codec.config
        fewer = config.packet_channels / codec.channels
        print(
            f"{name:<{width}}{config.signal_channels:>7}{config.grid.removeprefix('f'):>7}{codec.channels:>10}{fewer:>14.3g}x"
            f"{codec.network.name:>9}  {codec.fingerprint}"
        )
