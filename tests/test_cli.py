"""The door: exit statuses and sentences. No mistake of a user's ends in a traceback."""

import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image

import walloc_data
from tests.photographs import contents, window
from walloc_data import LatentDataset, load_codec, zoo_names
from walloc_data.cli import main, main_shard
from walloc_data.report import drawn, info
from walloc_data.write import progress

FLAGS = ["--read", "size=64", "--block", "8", "--shard-samples", "16", "--workers", "1", "--quiet"]
CODE = "import sys; from walloc_data.cli import {0}; sys.exit({0}())"


def run(capsys, *arguments, command=main):
    status = command([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def process(*arguments, command="main", **options):
    line = [sys.executable, "-c", CODE.format(command), *map(str, arguments)]
    return subprocess.run(line, check=False, capture_output=True, **options)


def test_shard_says_what_it_came_to(photos, dataset, tmp_path, capsys):
    out = tmp_path / "out"
    status, text, errors = run(capsys, photos, out, *FLAGS, command=main_shard)
    assert (status, errors) == (0, "")
    assert text.startswith(f"{out}: 72 samples, 0 skipped\n")
    assert re.search(r"[\d.]+ times smaller, [\d.]+ bits a latent\n  [\d.]+ dB on a sample of the data", text)
    assert contents(out) == contents(dataset)
    status, text, _ = run(capsys, "shard", photos, out, *FLAGS)
    assert status == 0
    assert "complete already: nothing was written" in text


def test_shard_counts_what_it_skips_and_notes_what_is_odd(photos, tmp_path, capsys):
    source = shutil.copytree(photos, tmp_path / "photos")
    (source / "train" / "flower" / "000.jpg").write_text("text")
    (source / "train" / "empty").mkdir()
    (source / "train" / "stray.jpg").write_text("text")
    status, text, errors = run(capsys, "shard", source, tmp_path / "out", *FLAGS)
    assert status == 0
    assert "71 samples, 1 skipped (see errors.jsonl)" in text
    assert errors == "note: class 'empty' has no files\nnote: 1 files beside the class folders were passed over\n"
    status, _, errors = run(capsys, "shard", source, tmp_path / "other", *FLAGS, "--on-error", "stop")
    assert status == 1
    assert errors.splitlines()[-1].startswith(f"error: {source}/train/flower/000.jpg: not an image")


@pytest.fixture
def empty(tmp_path):
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


MISTAKES = {
    "no source": (["shard", "{none}", "{out}"], "is not there: check the path"),
    "an empty source": (["shard", "{empty}", "{out}"], "holds no files"),
    "a file for a source": (["shard", "{file}", "{out}"], "is no kind of file that holds samples"),
    "no codec": (["shard", "{photos}", "{out}", "--codec", "rgb-f99"], "no codec 'rgb-f99'"),
    "a codec that is none": (["shard", "{photos}", "{out}", "--codec", "{file}"], "not a readable safetensors file"),
    "a folder for a codec": (["shard", "{photos}", "{out}", "--codec", "{empty}"], "no codec"),
    "a size that is none": (["shard", "{photos}", "{out}", "--read", "size=big"], "size='big'"),
    "an option of no reader": (
        ["shard", "{photos}", "{out}", "--read", "rate=8"],
        "image is read without 'rate': its options are color, crop, max_pixels, resize, size",
    ),
    "a former size": (["shard", "{photos}", "{out}", "--size", "64"], "is now --read size=64"),
    "a former crop": (["fit", "{photos}", "{out}.safetensors", "--crop", "none"], "is now --read crop=none"),
    "former steps": (["shard", "{photos}", "{out}", "--coarser", "2"], "--codec NAMEx2"),
    "a former push": (["shard", "{photos}", "{out}", "--push-to-hub", "a/b"], "walloc push"),
    "no size": (["shard", "{photos}", "{out}", "--read", "size=0"], "size=0"),
    "no block": (["shard", "{photos}", "{out}", "--block", "0"], "block=0"),
    "no workers": (["shard", "{photos}", "{out}", "--workers", "0"], "workers"),
    "no limit": (["shard", "{photos}", "{out}", "--limit", "-3"], "limit"),
    "no pixels": (["shard", "{photos}", "{out}", "--read", "max_pixels=0"], "max_pixels"),
    "a file for a dataset": (["shard", "{photos}", "{file}"], "is not a folder"),
    "a dataset in a file": (["shard", "{photos}", "{file}/out"], "cannot write"),
    "a dataset in its source": (["shard", "{photos}", "{photos}/out"], "lies in"),
    "a full folder": (["shard", "{photos}", "{full}"], "holds no dataset"),
    "another dataset": (["shard", "{photos}", "{dataset}"], "holds another dataset"),
    "info of nothing": (["info", "{empty}"], "is not a dataset"),
    "info of a file": (["info", "{file}"], "is not a dataset but a file: give the folder of one"),
    "info of nowhere": (["info", "{none}"], "is not there: check the path"),
    "check of nowhere": (["check", "{none}"], "is not there: check the path"),
    "a push of nowhere": (["push", "{none}", "user/name"], "is not there: check the path"),
    "view of nothing": (["view", "{empty}", "{out}.png"], "is not a dataset"),
    "view of no split": (["view", "{dataset}", "{out}.png", "--split", "test"], "no split 'test'"),
    "view to no picture": (["view", "{dataset}", "{out}.xyz"], "not a name of a picture"),
    "view to no suffix": (["view", "{dataset}", "{out}"], "not a name of a picture"),
    "view to a reader's suffix": (["view", "{dataset}", "{out}.psd"], "not a name of a picture"),
    "view to no folder": (["view", "{dataset}", "{none}/a.png"], "No such file or directory"),
    "originals that are elsewhere": (
        ["view", "{dataset}", "{out}.png", "--originals", "{empty}"],
        "empty holds no files",
    ),
    "originals that are nowhere": (["view", "{dataset}", "{out}.png", "--originals", "{none}"], "is not there"),
    "view of none": (["view", "{dataset}", "{out}.png", "--count", "0"], "count=0: a picture takes whole numbers"),
    "bands of images": (["view", "{dataset}", "{out}.png", "--bands", "0"], "bands '0' are chosen of arrays"),
    "view of no columns": (["view", "{dataset}", "{out}.png", "--columns", "-1"], "from 1 on"),
    "fit to another suffix": (["fit", "{photos}", "{out}.pt"], "ends with .safetensors"),
    "fit to nothing": (["fit", "{empty}", "{out}.safetensors"], "holds no files"),
    "fit to no images": (["fit", "{photos}", "{out}.safetensors", "--limit", "0"], "--limit"),
    "fit to no folder": (["fit", "{photos}", "{none}/a.safetensors", "--limit", "2"], "No such file or directory"),
    "fit of no wavelet": (["fit", "{photos}", "{out}.safetensors", "--wavelet", "nope"], "nope"),
    "fit of no channels": (["fit", "{photos}", "{out}.safetensors", "--channels", "0", "--limit", "2"], "channels"),
    "a former count": (["fit", "{photos}", "{out}.safetensors", "--images", "2"], "--images 2 is now --limit 2"),
    "fit of too many channels": (
        ["fit", "{photos}", "{out}.safetensors", "--channels", "999", "--limit", "2"],
        "channels",
    ),
    "fit of no levels": (["fit", "{photos}", "{out}.safetensors", "--levels", "0"], "levels"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_a_sentence_and_status_1(name, photos, dataset, empty, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    places = {name: tmp_path / name for name in ("none", "out", "file", "full", "empty")}
    arguments, message = MISTAKES[name]
    before = contents(dataset)
    status, text, errors = run(capsys, *[part.format(photos=photos, dataset=dataset, **places) for part in arguments])
    assert status == 1
    assert text == ""
    *before_it, error = errors.splitlines()
    assert before_it in ([], [f"{photos}: train 60, val 12 samples, 3 classes"])
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "out").exists()
    assert contents(dataset) == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["shard"],
        ["shard", "a", "b", "--read", "size"],
        ["shard", "a", "b", "--layout", "x"],
        ["info", "--x"],
    ],
    ids=str,
)
def test_unusable_arguments_are_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: walloc" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [None, "shard", "fit", "info", "view", "push", "zoo"])
def test_help(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*([verb] if verb else []), "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "usage: walloc" in text
    assert "None" not in text
    if verb is None:
        assert all(name in text for name in ("shard", "fit", "info", "view", "push", "zoo"))


def test_help_of_walloc_shard(capsys):
    with pytest.raises(SystemExit) as stop:
        main_shard(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for option in ("--codec", "--read", "--workers", "--on-error", "default: rgb-f8c12"):
        assert option in text


UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}


@pytest.mark.parametrize("layout", ["records", "samples"])
def test_info_accounts_for_every_byte(layout, dataset, samples_dataset, capsys):
    folder = dataset if layout == "records" else samples_dataset
    status, text, _ = run(capsys, "info", folder)
    assert status == 0
    assert text.startswith(f"{folder}: 72 samples, ")
    assert "codec   rgb-f8c12" in text
    assert f"layout {layout}" in text
    assert "split   train: 60 samples in 4 shards\nsplit   val: 12 samples in 1 shards\n" in text
    assert "classes 3: astronaut 24, chelsea 24, flower 24\n" in text
    assert "shapes  latents int8 12 x 8 x 8, encoded 64 x 64, originals 64 x 80 (72 samples)\n" in text
    rows = re.findall(r"^ +([\d.]+)% +([\d.e+]+) (\w+)  ([\w. ]+)$", text, re.MULTILINE)
    assert [row[3] for row in rows] == [
        "payloads", "record headers and columns", "tar", "indices", "codec.safetensors", "other files"
    ]  # fmt: skip
    total = sum(len(data) for data in contents(folder).values())
    assert sum(float(share) for share, *_ in rows) == pytest.approx(100, abs=0.1)
    assert sum(float(n) * UNITS[unit] for _, n, unit, _ in rows) == pytest.approx(total, rel=0.01)


@pytest.mark.parametrize("coder", ["zstd", "rans"])
def test_info_says_what_channels_cost(coder, photos, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(capsys, photos, out, *FLAGS, "--coder", coder, command=main_shard)[0] == 0
    _, text, _ = run(capsys, "info", out)
    what = {"zstd": "order-0 entropies of residuals, which frames come near", "rans": "lengths of their codes"}[coder]
    head, row = text.splitlines()[-2:]
    assert head == f"bits a latent by channel ({what}; 72 samples)"
    assert re.fullmatch(r"     0  ( *\d\.\d\d){12}", row)
    bits = [float(value) for value in row.split()[1:]]
    (whole,) = re.findall(r"([\d.]+) bits a latent; layout", text)
    assert bits[0] == max(bits)
    assert sum(bits) / 12 == pytest.approx(float(whole), rel=0.12)


def test_info_samples_every_split_and_shape(dataset, ragged_dataset, monkeypatch, capsys):
    assert "lengths of their codes; " in run(capsys, "info", ragged_dataset)[1]
    monkeypatch.setattr(drawn, "_SAMPLES", 7)
    assert "codes; 6 samples)" in run(capsys, "info", dataset)[1]
    monkeypatch.setattr(drawn, "_LATENTS", 100)
    assert "codes; 2 samples)" in run(capsys, "info", dataset)[1]


def test_info_of_shapes_that_differ_and_of_many_classes(dataset, ragged_dataset, monkeypatch, capsys):
    (line,) = [line for line in run(capsys, "info", ragged_dataset)[1].splitlines() if line.startswith("shapes")]
    assert line == (
        "shapes  latents int8 12 x 6 to 7 x 5 to 10, encoded 48 to 52 x 40 to 73, originals 48 to 52 x 40 to 73 "
        "(12 samples)"
    )
    monkeypatch.setattr(info, "_CLASSES", 2)
    assert "classes 3: astronaut 24, chelsea 24, ... (24 to 24 samples each)\n" in run(capsys, "info", dataset)[1]


def test_info_of_damage_is_a_sentence(copy, capsys):
    for damage in (
        lambda: (copy / "train-00000.idx").write_bytes(b"x"),
        lambda: (copy / "codec.safetensors").write_bytes(b"x"),
        lambda: (copy / "walloc.json").write_text((copy / "walloc.json").read_text().replace('"psnr"', '"other"')),
        lambda: (copy / "walloc.json").write_text("{}"),
    ):
        damage()
        status, text, errors = run(capsys, "info", copy)
        assert (status, text) == (1, "")
        assert errors.startswith("error: ")


def test_info_needs_no_shards(copy, capsys):
    for path in copy.glob("*.tar"):
        path.unlink()
    assert run(capsys, "info", copy)[0] == 0


def test_view_with_originals(dataset, photos, tmp_path, capsys):
    status, text, _ = run(capsys, "view", dataset, tmp_path / "a.png", "--against", photos, "--count", 5)
    assert status == 0
    rows = text.splitlines()
    assert len(rows) == 6
    assert all(re.fullmatch(r"train/\w+/\d+\.jpg  \d\d\.\d\d dB", row) for row in rows[:5])
    assert re.fullmatch(r"mean \d\d\.\d\d dB", rows[5])
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.size == (4 * (2 * 64 + 4), 2 * (64 + 14 + 4))
        colours = sheet.crop((0, 14, 128, 78)).convert("L").getextrema()
    assert colours[1] - colours[0] > 50


def test_view_without_originals(dataset, ragged_dataset, photos, tmp_path, capsys):
    status, text, _ = run(capsys, "view", dataset, tmp_path / "a.jpg", "--split", "val", "--count", 99)
    assert (status, len(text.splitlines())) == (0, 12)
    assert "dB" not in text
    (tmp_path / "some" / "train" / "astronaut").mkdir(parents=True)  # originals that are not at hand are left out
    shutil.copy(photos / "train" / "astronaut" / "000.jpg", tmp_path / "some" / "train" / "astronaut")
    options = ["--originals", tmp_path / "some", "--count", 60]
    status, text, _ = run(capsys, "view", dataset, tmp_path / "b.png", *options)
    assert (status, text.count("dB")) == (0, 2)
    status, text, errors = run(capsys, "view", ragged_dataset, tmp_path / "c.png", "--originals", photos)
    assert (status, text, (tmp_path / "c.png").exists()) == (1, "", False)
    assert f"{photos} holds none of these samples' originals, such as " in errors


def test_view_of_gray_and_of_originals_that_changed(photos, tmp_path, capsys):
    source = shutil.copytree(photos, tmp_path / "photos")
    assert run(capsys, "shard", source, tmp_path / "out", *FLAGS, "--codec", "gray-f8c4")[0] == 0
    status, text, _ = run(capsys, "view", tmp_path / "out", tmp_path / "a.png", "--originals", source)
    assert (status, text.count("dB")) == (0, 13)
    for path in source.rglob("*.jpg"):
        path.write_text("text")
    status, _, errors = run(capsys, "view", tmp_path / "out", tmp_path / "b.png", "--originals", source)
    assert (status, errors[:7]) == (1, "error: ")


def test_fit_then_shard(photos, tmp_path, capsys):
    path = tmp_path / "mine.safetensors"
    options = ["--channels", 8, "--levels", 2, "--limit", 12, "--read", "size=64", "--gray"]
    status, text, _ = run(capsys, "fit", photos, path, *options)
    assert status == 0
    assert f"{path}: Codec('mine'" in text
    assert load_codec(path).channels == 8
    assert run(capsys, "shard", photos, tmp_path / "out", *FLAGS, "--codec", path)[0] == 0
    latents, _ = LatentDataset(tmp_path / "out")[0]
    assert latents.shape == (8, 16, 16)
    assert run(capsys, "shard", photos, tmp_path / "again", *FLAGS, "--codec", tmp_path / "out")[0] == 0
    assert LatentDataset(tmp_path / "again").manifest.fingerprint == load_codec(path).fingerprint


def test_zoo(capsys):
    status, text, _ = run(capsys, "zoo")
    assert status == 0
    rows = text.splitlines()[1:]
    assert [row.split()[0] for row in rows] == zoo_names()
    for row in rows:
        assert row.endswith(load_codec(row.split()[0]).fingerprint)
    assert "16x" in rows[0]
    assert len({len(row) for row in text.splitlines()[1:]}) == 1  # columns stand below one another


def test_walloc_shard_is_a_process_that_says_no_more_than_it_must(photos, dataset, tmp_path):
    done = process(photos, tmp_path / "out", *FLAGS, command="main_shard", text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(tmp_path / "out") == contents(dataset)


def test_a_mistake_is_no_traceback_in_a_process(tmp_path):
    done = process(tmp_path / "none", tmp_path / "out", command="main_shard", text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path}/none is not there: check the path; a source is ")
    assert done.stderr.count("\n") == 1


def test_the_opening_line_counts_what_is_asked_for(photos, tmp_path, capsys):
    options = [*FLAGS[:-1], "--limit", "15"]
    status, _, errors = run(capsys, photos, tmp_path / "out", *options, command=main_shard)
    assert status == 0
    assert errors.splitlines()[0] == f"{photos}: train 15 of 60, val 12 samples, 3 classes"


def test_an_unfinished_dataset_is_said_to_be_one(copy, tmp_path, capsys):
    (copy / "walloc.json").unlink()
    for arguments in (["info", copy], ["check", copy], ["view", copy, tmp_path / "a.png"], ["push", copy, "user/name"]):
        status, _, errors = run(capsys, *arguments)
        assert (status, errors.count("\n")) == (1, 1)
        assert errors.startswith(
            f"error: {copy} is an unfinished dataset, without walloc.json: run the command that made it"
        )


def test_output_to_a_closed_pipe(dataset):
    line = [sys.executable, "-c", CODE.format("main"), "info", str(dataset)]
    writer = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writer.stdout.close()
    errors = writer.stderr.read()
    writer.stderr.close()
    assert (writer.wait(), errors) == (0, b"")


def test_names_that_the_terminal_cannot_show(codec, tmp_path):
    folder = tmp_path / "photos" / "猫"
    folder.mkdir(parents=True)
    for number in range(3):
        window("chelsea", number).save(folder / f"ж{number}.jpg")
    ascii_only = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    sharded = process("shard", tmp_path / "photos", tmp_path / "é", *FLAGS, env=ascii_only)
    assert (sharded.returncode, sharded.stderr) == (0, b"")
    shown = process("info", tmp_path / "é", env=ascii_only)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert b"classes 1: \\u732b" in shown.stdout


def test_check_finds_what_is_damaged(copy, capsys):
    assert main(["check", str(copy)]) == 0
    assert capsys.readouterr().out == f"{copy}: whole\n"
    data = bytearray((copy / "train-00000.tar").read_bytes())
    data[2000] ^= 1
    (copy / "train-00000.tar").write_bytes(data)
    (copy / "train-00001.tar").write_bytes(data[:1024])
    (copy / "train-00002.idx").unlink()
    (copy / "val-00000.tar").unlink()
    assert main(["check", str(copy)]) == 1
    out, err = capsys.readouterr()
    assert [line.removeprefix(f"{copy}/").split()[0].rstrip(":") for line in out.splitlines()] == [
        "train-00000.tar",
        "train-00001.tar",
        "train-00002.idx",
        "val-00000.tar",
    ]
    assert "4 files" in err
    assert main(["info", str(copy)]) == 1


def test_info_of_a_shard_cut_short(copy, capsys):
    path = copy / "train-00001.tar"
    path.write_bytes(path.read_bytes()[:1024])
    assert main(["info", str(copy)]) == 1
    assert "train-00001.tar has 1024 bytes" in capsys.readouterr().err


def test_help_and_version_import_nothing_heavy():
    code = "import sys; from walloc_data.cli import main; main(sys.argv[1:])"
    for arguments in (["--help"], ["--version"], ["shard", "--help"], ["push", "--help"]):
        heavy = "print(sorted({'torch', 'numba', 'PIL'} & {*sys.modules}))"
        watched = f"import atexit, sys; atexit.register(lambda: {heavy}); {code}"
        said = subprocess.run([sys.executable, "-c", watched, *arguments], capture_output=True, text=True, check=True)
        assert said.stdout.endswith("[]\n")


def test_the_package_is_a_command_and_says_its_version():
    said = subprocess.run(
        [sys.executable, "-m", "walloc_data", "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout == f"walloc-data {walloc_data.__version__}\n"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        walloc_data.nothing  # noqa: B018
    assert set(walloc_data.__all__) <= set(dir(walloc_data))


def test_without_a_terminal_progress_is_a_line_now_and_then(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS", 0.0)
    flags = [flag for flag in FLAGS if flag != "--quiet"]
    status, _, errors = run(capsys, photos, tmp_path / "out", *flags, command=main_shard)
    assert status == 0
    first, *lines = errors.splitlines()
    assert first == f"{photos}: train 60, val 12 samples, 3 classes"
    assert re.fullmatch(r"72 of 72 samples, [\d,]+ a second, 0 minutes to go", lines[-1])


def test_a_large_dataset_hints_at_coarser_steps(photos, tmp_path, capsys):
    status, text, _ = run(capsys, photos, tmp_path / "out", *FLAGS, "--codec", "rgb-f8c48", command=main_shard)
    assert status == 0
    assert "hint: --codec rgb-f8c48x2" in text
    assert LatentDataset(tmp_path / "out").codec.fingerprint == load_codec("rgb-f8c48").fingerprint


def test_steps_are_coarser_by_the_name_of_the_codec(photos, tmp_path, capsys):
    assert run(capsys, photos, tmp_path / "out", *FLAGS, "--codec", "rgb-f8c12x2", command=main_shard)[0] == 0
    assert LatentDataset(tmp_path / "out").codec.fingerprint == load_codec("rgb-f8c12").coarser(2).fingerprint
