"""`walloc fit` on folders and disks that are not whole."""

import resource
import shutil
import signal
import subprocess
import sys

from tests.photographs import contents
from walloc_data import load_codec
from walloc_data.cli import main

OPTIONS = ["--channels", "8", "--levels", "2", "--limit", "12", "--read", "size=64", "--gray", "--quiet"]


def test_samples_that_cannot_be_read_are_passed_over_and_counted(photos, tmp_path, capsys):
    source = shutil.copytree(photos, tmp_path / "photos")
    assert main(["fit", str(source), str(tmp_path / "whole.safetensors"), *OPTIONS]) == 0
    (source / "train" / "astronaut" / "000.jpg").write_text("text")
    capsys.readouterr()
    assert main(["fit", str(source), str(tmp_path / "mine.safetensors"), *OPTIONS]) == 0
    text, errors = capsys.readouterr()
    assert text.startswith(f"{tmp_path}/mine.safetensors: Codec('mine'")
    assert errors.startswith("note: 1 of 12 samples were passed over, such as ")
    assert "000.jpg: not an image" in errors
    assert load_codec(tmp_path / "mine.safetensors").channels == 8


def test_no_sample_that_can_be_read(photos, tmp_path, capsys):
    source = shutil.copytree(photos / "val", tmp_path / "photos")
    for path in source.rglob("*.jpg"):
        path.write_text("text")
    assert main(["fit", str(source), str(tmp_path / "mine.safetensors"), *OPTIONS]) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("error: none of 12 samples can be read, such as ")
    assert not (tmp_path / "mine.safetensors").exists()


def test_a_full_disk_leaves_what_was_there(photos, tmp_path):
    out = tmp_path / "codecs" / "mine.safetensors"
    out.parent.mkdir()
    out.write_bytes(b"an older codec")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY))

    code = "import sys; from walloc_data.cli import main; sys.exit(main())"
    line = [sys.executable, "-B", "-c", code, "fit", str(photos), str(out), *OPTIONS]
    done = subprocess.run(line, check=False, capture_output=True, text=True, preexec_fn=limit)
    assert (done.returncode, done.stderr) == (1, f"error: {out}: File too large\n")
    assert contents(out.parent) == {"mine.safetensors": b"an older codec"}
