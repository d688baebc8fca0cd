"""`walloc report`: what stands on the page, of data of every kind, whole and damaged."""

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.http_server import FileServer
from tests.photographs import window
from tests.report.given import dataset_of
from tests.sounds import sound, write
from tests.test_streaming import damage
from walloc_data import AudioReader, Codec, CodecConfig, LatentDataset, StorageOptions, fit, shard_dataset, write_report
from walloc_data.cli import main
from walloc_data.errors import DatasetError
from walloc_data.format import Manifest
from walloc_data.report.kinds import SHOWN
from walloc_data.report.page import part, scan
from walloc_data.report.page.part import decode_part
from walloc_data.report.page.tables import class_tables
from walloc_data.report.view import contact_sheet

GOLDEN = Path(__file__).parents[1] / "golden"
VOID = {"img", "meta", "link", "input", "br"}


class Page(HTMLParser):
    """A page that has been read: its tags are nested, and what they say."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(path.read_text("utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open and "script" not in self.open:
            self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


def checked(path: Path) -> Page:
    """A page that takes nothing from elsewhere, and can be heard as well as seen."""
    page = Page(path)
    addresses = [each[name] for _, each in page.tags for name in ("src", "href", "poster") if name in each]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"url\(|@import|\bon\w+=\"|style=\"", path.read_text("utf-8"))
    assert all("alt" in image for image in page.named("img"))
    assert all(player["aria-label"] for player in page.named("audio") + page.named("video"))
    assert all(each.get("role") == "img" or each.get("aria-hidden") for each in page.named("svg"))
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    anchors = [each["id"] for _, each in page.tags if each.get("id")]
    assert len(set(anchors)) == len(anchors)
    assert {link["href"][1:] for link in page.named("a")} <= set(anchors)
    return page


def arrays(out: Path, space: tuple[int, ...], channels: int, kind: str, count: int = 2, **columns) -> Path:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.uniform(0, 1, (count, channels, *space))).float()
    config = CodecConfig(name="t", kind=kind, signal_channels=channels, dims=len(space), levels=1, wavelet="10/18")
    codec = fit([one[None] for one in x], config, channels=min(12, channels * 2 ** len(space)))
    return dataset_of(out, codec, {f"k{number}": one for number, one in enumerate(x)}, columns)


@pytest.fixture(scope="module")
def page(dataset, photos, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(dataset, path, against=photos, samples=24)
    return path


def test_photographs_beside_their_originals(page, dataset, photos, tmp_path):
    found = checked(page)
    assert sum("original" in image["alt"] for image in found.named("img")) == 12
    assert "12 of 60 samples of train , evenly from all of it; 24 of 24 originals were found." in found.text
    for part_ in (
        "PSNR, mean of 24",
        "median",
        "Bits a latent by channel",
        "all 12 channels",
        "3 classes",
        "Where the",
    ):
        assert part_ in found.text
    assert page.stat().st_size < 1_000_000
    assert str(dataset) not in page.read_text("utf-8")
    write_report(dataset, tmp_path / "again.html", against=photos, samples=24)
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.html"]


def test_the_card_shows_the_same_samples(page, dataset):
    _, shown = contact_sheet(LatentDataset(dataset, decode="signal"), count=SHOWN["image"])
    keys = re.findall(r'class="key">([^<]+)<', page.read_text("utf-8"))
    assert [one.key for one in shown] == keys


def test_the_command_and_no_originals(dataset, tmp_path, capsys):
    assert main(["report", str(dataset), str(tmp_path / "r.html"), "--count", "3", "--split", "val"]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'r.html'}: ")
    found = checked(tmp_path / "r.html")
    assert "3 of 12 samples of val" in found.text
    assert not any("original" in image["alt"] for image in found.named("img"))
    assert "With --against SRC they stand beside their originals." in found.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["r.txt"], "not a name of a page, such as report.html"),
        (["none/r.html"], "none is no folder to write r.html into"),
        (["r.html", "--split", "test"], "no split 'test'"),
        (["r.html", "--against", "."], "holds no files to shard"),
        (["r.html", "--against", "{other}"], "holds none of these samples' originals"),
        (["r.html", "--count", "0"], "count=0 is below 1"),
        (["r.html", "--bands", "1"], "bands '1' are chosen of arrays"),
    ],
    ids=" ".join,
)
def test_what_cannot_be(arguments, said, dataset, tmp_path, tmp_path_factory, monkeypatch, capsys):
    other = tmp_path_factory.mktemp("other")
    window("chelsea", 0).save(other / "foreign.png")
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(dataset), *(each.format(other=other) for each in arguments)]) == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("what", "lost"), [(None, "the header is damaged"), ("payload", " (8 of the split)")])
def test_damage_is_said_and_all_else_is_there(what, lost, copy, tmp_path):
    damage(copy, what)
    write_report(copy, tmp_path / "r.html", count=60, samples=60)
    found = checked(tmp_path / "r.html")
    assert "Damaged: one place" in found.text
    assert "train-00000.tar, record at byte" in found.text
    assert lost in found.text
    gone = 8 if what is None else 1
    assert found.text.count("cannot be shown") == gone
    assert sum(", decoded" in image["alt"] for image in found.named("img")) == 60 - gone
    assert str(copy) not in (tmp_path / "r.html").read_text("utf-8")


def test_a_shard_that_is_gone_is_said(copy, tmp_path):
    (copy / "train-00001.tar").unlink()
    write_report(copy, tmp_path / "r.html", count=8)
    found = checked(tmp_path / "r.html")
    assert "Damaged" in found.text
    assert "train-00001.tar" in found.text
    assert any(", decoded" in image["alt"] for image in found.named("img"))


def test_markup_in_names_is_text(codec, tmp_path):
    evil = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;\u202e"
    samples = [
        {"image": np.full((16, 16, 3), 90, np.uint8), "key": f"{evil}{number}", "caption": evil, "label": f"{evil}c"}
        for number in range(2)
    ]
    shard_dataset(samples, tmp_path / "<b>out", codec=codec)
    write_report(tmp_path / "<b>out", tmp_path / "r.html")
    found = checked(tmp_path / "r.html")
    assert len(found.named("script")) == 1
    assert not found.named("b")
    assert found.text.count(evil) >= 5
    assert not any(image.get("onerror") or image.get("src") == "x" for image in found.named("img"))


def test_one_sample(codec, tmp_path):
    shard_dataset([{"image": np.zeros((8, 8, 3), np.uint8), "key": "a"}], tmp_path / "out", codec=codec)
    write_report(tmp_path / "out", tmp_path / "r.html")
    found = checked(tmp_path / "r.html")
    assert "Headers and columns of 1 record, and the payload of 1 sample, were read for this page." in found.text
    assert "1 of 1 samples of train" in found.text
    assert "Classes" not in found.text


def test_latents_are_int8_whatever_their_shapes(ragged_dataset, tmp_path):
    write_report(ragged_dataset, tmp_path / "r.html", count=1)
    assert re.search(r"latents\s*int8\s*x itself", checked(tmp_path / "r.html").text)


def test_many_classes_are_not_all_named(copy, tmp_path):
    names = [f"class {number}" for number in range(30_000)]
    manifest = replace(Manifest.read(copy), classes={"label": names})
    manifest.write(copy)
    write_report(copy, tmp_path / "r.html", count=1)
    found = checked(tmp_path / "r.html")
    assert "30,000 classes: 0 to 24 samples each, half of them at most 0." in found.text
    assert "class 29999" in found.text
    assert "class 15000" not in found.text
    assert (tmp_path / "r.html").stat().st_size < 200_000
    counts = {"label": Counter(dict.fromkeys(range(30_000), 1) | {7: 99, 8: 0, -1: 5})}
    told = "".join(class_tables(manifest, counts, ""))
    assert told.index("class 7<") < told.index("class 0<") < told.index("class 8<")
    assert "5 samples have none" in told


@pytest.mark.parametrize("name", ["0.1/records", "0.1/samples", "records", "samples", "ragged"])
def test_datasets_of_earlier_versions(name, tmp_path):
    write_report(GOLDEN / name, tmp_path / "r.html", count=2)
    found = checked(tmp_path / "r.html")
    assert "Damaged" not in found.text
    assert sum(", decoded" in image["alt"] for image in found.named("img")) == 2


def test_of_many_records_some_are_opened(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "_MOST_RECORDS", 4)
    write_report(dataset, tmp_path / "r.html", count=2, samples=2)
    [some] = re.findall(r"counted in (\d+) of 72 samples", checked(tmp_path / "r.html").text)[:1]
    assert 16 <= int(some) <= 40


def test_at_a_url_little_is_read(dataset, tmp_path):
    with FileServer(dataset) as server:
        options = StorageOptions(cache_dir=tmp_path / "cache")
        write_report(server.url, tmp_path / "r.html", count=3, storage=options)
        assert sum(server.counts.values()) < 20
    found = checked(tmp_path / "r.html")
    assert "3 of 60 samples of train" in found.text
    assert "counted in 24 of 72 samples" in found.text


def test_sound_can_be_listened_to(tmp_path):
    for number in range(3):
        write(tmp_path / "in" / f"{number}.wav", sound(0.5, channels=1, seed=number))
    config = CodecConfig(name="t", kind="audio", signal_channels=1, dims=1, levels=4, wavelet="10/18")
    codec = fit([torch.from_numpy(sound(1))[None]], config, channels=8)
    shard_dataset(tmp_path / "in", tmp_path / "out", codec=codec, reader=AudioReader(channels=1))
    write_report(tmp_path / "out", tmp_path / "r.html", against=tmp_path / "in")
    found = checked(tmp_path / "r.html")
    players = found.named("audio")
    assert len(players) == 6
    assert all(player["src"].startswith("data:audio/flac;base64,") for player in players)
    assert "0.5 s, 8,000 Hz" in found.text


@pytest.mark.parametrize(
    ("space", "channels", "kind", "pictures"),
    [((16, 20), 9, "array", 2), ((6, 16, 20), 1, "array", 2), ((64,), 3, "array", 0), ((8, 16, 20), 3, "video", 2)],
    ids=str,
)
def test_arrays_and_clips(space, channels, kind, pictures, tmp_path):
    out = arrays(tmp_path / "out", space, channels, kind, rate=[5.0, 5.0], length=[space[0]] * 2)
    bands = "0" if kind == "array" else None
    write_report(out, tmp_path / "r.html", bands=bands)
    found = checked(tmp_path / "r.html")
    assert sum(bool(image["alt"]) for image in found.named("img")) == pictures
    if kind == "video":
        pytest.importorskip("av")
        assert [player["src"][:15] for player in found.named("video")] == ["data:video/mp4;"] * 2
    elif kind == "array":
        assert sum("values along" in each.get("aria-label", "") for each in found.named("svg")) == 2 * max(
            1, channels * (len(space) == 1)
        )
    with pytest.raises(DatasetError, match="bands"):
        write_report(out, tmp_path / "r.html", bands="9,9,9")


def test_sizes_and_rates_that_are_none(tmp_path):
    out = arrays(tmp_path / "out", (64,), 1, "audio", count=4, rate=[0.0, -3.0, float("nan"), 1e300])
    write_report(out, tmp_path / "r.html")
    assert not checked(tmp_path / "r.html").named("audio")
    codec = LatentDataset(out).codec
    for size in ("x", [7, 7], [-1], [3], None, [1.5]):
        assert (
            decode_part(codec, torch.zeros(2, 8, dtype=torch.int8), {"size": size, "length": "y"}).decoded.numel() == 16
        )


@pytest.mark.parametrize("size", [(203, 150), (60, 500)])
def test_of_a_large_sample_the_middle_is_decoded(codec: Codec, size, monkeypatch):
    image = torch.from_numpy(np.random.default_rng(0).uniform(0, 1, (1, 3, *size))).float()
    latents = codec.encode(image)[0]
    whole = decode_part(codec, latents, {"size": list(size)})
    assert whole.whole
    monkeypatch.setattr(part, "_MOST_VALUES", 3 * 160 * 130)
    some = decode_part(codec, latents, {"size": list(size)})
    assert not some.whole
    assert 0 < some.decoded.numel() < whole.decoded.numel()
    assert torch.allclose(some.of(whole.decoded), some.decoded, atol=1e-5)
