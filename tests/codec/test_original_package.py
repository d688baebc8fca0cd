"""Codecs by original checkpoints against the package `walloc` itself, wherever that can be imported."""

import pytest
import torch

from tests.original_checkpoints import SETTINGS, codec_of_numbers, signal
from tests.original_expected import of_the_package

pytestmark = pytest.mark.filterwarnings("ignore")  # of that package, and of what it needs
pytest.importorskip(
    "walloc.walloc",
    reason="the package walloc is not installed: pip install walloc==1.2.1 in an environment of its own",
    exc_type=ImportError,
)


@pytest.mark.parametrize("name", SETTINGS)
def test_latents_and_signals_are_those_of_the_package(name: str) -> None:
    settings, ours = SETTINGS[name], codec_of_numbers(name)
    x = signal(settings, sides=64, batch=24)
    latents, decoded = of_the_package(settings, x)
    if "post_filter" in settings and settings["lightweight_encode"]:
        assert (latents[..., [0, -1]] == latents[:1, :, :1]).all()  # which no signal changes: not stored
        latents = latents[..., 1:-1]
    z = ours.encode(x)
    assert z.shape == latents.shape == (24, *ours.latent_shape(x.shape[2:]))
    assert len(z.unique()) > 2 ** (settings["latent_bits"] - 2)
    differences = (z - latents).abs()
    assert differences.max() <= 1
    assert (differences > 0).float().mean() < 1e-4
    torch.testing.assert_close(ours.decode(latents.to(torch.int8)), decoded, atol=1e-4, rtol=0)
