"""Judging codecs: figures that others confirm, formats beside them, and files that something else decoded."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity

from tests.sounds import sound, write
from tests.synthetic import photograph
from walloc_data import ImageReader, load_codec
from walloc_data.cli import main
from walloc_data.train.evaluate import Point, evaluate_codec, evaluate_folder, gain
from walloc_data.train.similarity import ms_ssim, si_sdr, ssim


def test_ssim_is_that_of_scikit_image():
    x = photograph("chelsea.png")[:, :200, :240] / 255
    noisy = (x + 0.05 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    expected = structural_similarity(
        noisy.double().numpy(),
        x.double().numpy(),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=0,
    )
    assert ssim(noisy, x) == pytest.approx(expected, abs=1e-6)
    assert ssim(x, x) == pytest.approx(1)
    assert ms_ssim(x, x) == pytest.approx(1)
    assert ssim(noisy, x) < ms_ssim(noisy, x) < 1
    assert math.isnan(ssim(x[:, :8], x[:, :8]))
    assert math.isnan(ms_ssim(x[:, :100], x[:, :100]))
    assert math.isnan(ms_ssim(x[:, :16, :20], x[:, :16, :20]))


def test_si_sdr_takes_no_notice_of_loudness():
    x = torch.from_numpy(sound(0.5, channels=2))
    noise = 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    assert si_sdr(0.3 * (x + noise), x) == pytest.approx(si_sdr(x + noise, x), abs=1e-6)
    expected = 10 * math.log10(float(x.var() / noise.var()))
    assert si_sdr(x + noise, x) == pytest.approx(expected, abs=0.5)


def test_bits_and_psnr_are_those_of_the_dataset(codec):
    signals = [photograph("chelsea.png")[None, :, :96, :128], photograph("china.jpg")[None, :, :64, :64]]
    point, coarse = evaluate_codec(codec, signals), evaluate_codec(codec.coarser(2), signals)
    assert (point.name, point.setting, point.signals) == ("rgb-f8c12", "rans", 2)
    assert point.bits > coarse.bits > 0
    assert point.psnr > coarse.psnr > 20
    assert point.encode > 0 < point.decode
    assert math.isnan(point.si_sdr)


def test_a_gain_is_at_equal_bits():
    curve = [Point(name="a", setting="", signals=1, bits=bits, psnr=psnr) for bits, psnr in ((1, 30.0), (2, 33.0))]
    better = [replace(point, psnr=point.psnr + 0.5) for point in curve]
    assert gain(better, curve) == pytest.approx(0.5)
    cheaper = [replace(point, bits=point.bits / 2) for point in curve]
    assert math.isnan(gain(cheaper, [replace(point, bits=point.bits * 2) for point in curve]))


def test_the_command(photos, tmp_path, capsys):
    decoded = tmp_path / "decoded"
    for path in photos.glob("val/*/*.jpg"):
        target = decoded / path.relative_to(photos)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array(Image.open(path)) // 2 * 2).save(target.with_suffix(".png"))
    line = ["eval", str(photos), "--split", "val", "--codec", "rgb-f8c12", "rgb-f8c12-detail", "--coarser", "1,2"]
    line += ["--limit", "4"]
    assert (
        main(
            [
                *line,
                "--peers",
                "--decoded",
                str(decoded),
                "--json",
                str(tmp_path / "figures.json"),
                "--plot",
                str(tmp_path / "curves.png"),
            ]
        )
        == 0
    )
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    text = capsys.readouterr().out
    assert text.splitlines()[0].split()[:2] == ["codec", "setting"]
    assert "rgb-f8c12-detail: -" in text
    points = json.loads((tmp_path / "figures.json").read_text())["points"]
    assert {"rgb-f8c12", "rgb-f8c12x2", "JPEG", "WebP", "decoded"} <= {point["name"] for point in points}
    assert all(point["signals"] == 4 and point["psnr"] > 15 for point in points)
    [own] = [point for point in points if point["name"] == "decoded"]
    assert (own["decode"], own["ms_ssim"]) == (None, None)
    assert own["psnr"] > 45


def test_names_of_decoded_files_may_hold_brackets(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a[1].png")
    reader = ImageReader(size=None, resize="none", crop="none")
    config = load_codec("rgb-f8c12").config
    signal = torch.from_numpy(pixels).movedim(2, 0)[None]
    assert evaluate_folder(tmp_path, ["a[1].jpg"], reader, config, [signal]).psnr == 100


def test_a_plot_that_cannot_be_written_is_refused_before_anything_is_judged(tmp_path, capsys):
    assert main(["eval", str(tmp_path / "none"), "--plot", str(tmp_path / "curves.xyz")]) == 1
    assert "curves.xyz: Format 'xyz' is not supported" in capsys.readouterr().err


def test_what_cannot_be_judged_is_a_sentence(photos, tmp_path, capsys):
    for line, said in (
        (["--split", "test"], "has no split 'test'"),
        (["--codec", "rgb-f8c12", "gray-f8c4"], "not for the same signals"),
        (["--decoded", str(tmp_path)], "there is to be one for each sample"),
        (["--decoded", str(tmp_path / "none")], "none is no folder of decoded files"),
    ):
        assert main(["eval", str(photos), "--coarser", "1", "--limit", "2", *line]) == 1
        assert said in capsys.readouterr().err


def test_sound_beside_its_peers(tmp_path, capsys):
    for seed in range(3):
        write(tmp_path / "sound" / f"{seed}.wav", sound(1, 16000, seed=seed), 16000)
    assert main(["eval", str(tmp_path / "sound"), "--codec", "mono-f128c32", "--coarser", "1", "--peers"]) == 0
    text = capsys.readouterr().out
    head = text.splitlines()[0]
    assert all(name in head for name in ("bits a sample", "SI-SDR", "encode, Msample/s"))
    assert "SSIM" not in text
    assert "pixel" not in text
    ratios = {line.split()[0]: float(line.split()[3]) for line in text.splitlines()[1:] if line.split()[0] != "note:"}
    assert ratios.keys() >= {"mono-f128c32", "MP3", "Opus", "Vorbis"}
    assert min(ratios.values()) > 20
