"""Reports in a real browser: what is seen, heard and reached by keys, light and dark, wide and narrow."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from tests.sounds import sound, write
from walloc_data import AudioReader, CodecConfig, fit, shard_dataset, write_report

pytest.importorskip("aiohttp")
from tests.report.browser import BROWSER, Visit, visit

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

PICTURES = "[...document.images].filter(one => one.naturalWidth > 0 && one.complete).length == document.images.length"
CONTRASTS = """(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    const light = (colour, below) => {
        canvas.fillStyle = below; canvas.fillRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(
            v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = one => {
        const colours = [];
        for (; one; one = one.parentElement) colours.unshift(getComputedStyle(one).backgroundColor);
        return colours.filter(colour => !colour.startsWith('rgba(0, 0, 0, 0')).pop() ?? 'white';
    };
    const found = [];
    for (const one of document.querySelectorAll('body *')) {
        if (![...one.childNodes].some(node => node.nodeType == 3 && node.data.trim()) || !one.getClientRects().length)
            continue;
        const style = getComputedStyle(one), below = ground(one);
        const [a, b] = [light(one.closest('svg') ? style.fill : style.color, below), light(below, 'white')]
            .sort((x, y) => x - y);
        found.push([(b + 0.05) / (a + 0.05), one.outerHTML.slice(0, 80)]);
    }
    return found.sort((a, b) => a[0] - b[0])[0];
})()"""


@pytest.fixture(scope="module")
def photographs(dataset, photos, tmp_path_factory):
    path = tmp_path_factory.mktemp("browser") / "photographs.html"
    write_report(dataset, path, against=photos, count=4, samples=8)
    return path


@pytest.mark.parametrize(("dark", "size"), [(False, (1280, 900)), (True, (390, 800))], ids=["light", "dark"])
def test_photographs_are_seen_and_reached_by_keys(photographs, dark, size, tmp_path):
    async def steps(one: Visit) -> None:
        assert await one.value(PICTURES)
        assert await one.value("document.documentElement.scrollWidth <= innerWidth")
        contrast, where = await one.value(CONTRASTS)
        assert contrast >= 4.5, where
        await one.picture(tmp_path / "page.png")
        await one.press("Tab")
        assert await one.value("document.activeElement.className") == "skip"
        assert await one.value("document.activeElement.getBoundingClientRect().left >= 0")
        assert await one.value("document.querySelectorAll('.sample .open').length") == 4
        for _ in range(12):  # the links of the page come before what it shows
            await one.press("Tab")
            if await one.value("document.activeElement.className") == "open":
                break
        assert await one.value("document.activeElement.getAttribute('aria-label').startsWith('Compare: train/')")
        await one.press("Enter")
        assert await one.value("document.querySelector('dialog').open")
        await one.press("Tab")
        await one.press("ArrowRight", 10)
        cut = await one.value("document.querySelectorAll('.stage img')[1].style.clipPath")
        assert re.search(r"\b40%", cut)
        await one.press("Escape")
        assert await one.value("[document.querySelector('dialog').open, document.activeElement.className]") == [
            False,
            "open",
        ]

    visit(photographs, steps, dark=dark, size=size)
    shown = np.asarray(Image.open(tmp_path / "page.png").convert("L"))
    assert (np.median(shown) < 60) == dark
    assert shown.std() > 5


def test_the_policy_keeps_out_whatever_gets_in(photographs, tmp_path):
    text = photographs.read_text("utf-8")
    evil = "<script>document.title = 'run'</script><img src='https://127.0.0.1:9/x.png' onerror='document.title = 1'>"
    (tmp_path / "evil.html").write_text(text.replace("</main>", f"{evil}</main>"), "utf-8")

    async def steps(one: Visit) -> str:
        title = await one.value("document.title")
        refused, one.complaints[:] = "\n".join(one.complaints), []
        assert refused.count("violates the following Content Security Policy directive") >= 3
        return title

    assert visit(tmp_path / "evil.html", steps).endswith("walloc report")


def test_sound_plays(tmp_path):
    write(tmp_path / "in" / "a.wav", sound(0.5, channels=2))
    config = CodecConfig(name="t", kind="audio", signal_channels=2, dims=1, levels=4, wavelet="10/18")
    codec = fit([torch.from_numpy(sound(1, channels=2))[None]], config, channels=16)
    shard_dataset(tmp_path / "in", tmp_path / "out", codec=codec, reader=AudioReader(channels=2))
    write_report(tmp_path / "out", tmp_path / "r.html", against=tmp_path / "in")

    async def steps(one: Visit) -> None:
        assert await one.value(PICTURES)
        await one.value("document.querySelectorAll('audio')[1].play()")
        duration = await one.value("document.querySelectorAll('audio')[1].duration")
        assert duration == pytest.approx(0.5)

    visit(tmp_path / "r.html", steps)
