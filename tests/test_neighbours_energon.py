"""Megatron-Energon reads both layouts, after its own `energon prepare`."""

import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.photographs import contents
from walloc_data import LatentDataset, latent_decoder

energon = pytest.importorskip("megatron.energon")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning")

_ENERGON = Path(sysconfig.get_path("scripts")) / "energon"


@dataclass
class Latents(energon.Sample):
    """What a `.wlc` member decodes to, and the other members of its sample."""

    wlc: Any
    others: dict[str, Any]


@pytest.fixture(scope="module", params=["records", "samples"])
def prepared(request, dataset, samples_dataset, tmp_path_factory):
    """A copy of a dataset of each layout, prepared without a question: a list of tars, and the splits they are."""
    out = tmp_path_factory.mktemp("prepared") / "out"
    shutil.copytree(dataset if request.param == "records" else samples_dataset, out)
    command = [str(_ENERGON), "prepare", "--non-interactive", "--no-progress", "--num-workers", "1"]
    command += ["--split-parts", r"train:train-.*\.tar", "--split-parts", r"val:val-.*\.tar"]
    subprocess.run([*command, "--sample-type", "CrudeWebdataset", str(out)], check=True, capture_output=True)
    return out


def encoder(out):
    decode = latent_decoder(out)

    @energon.stateless
    def cook(raw):
        others = {name: value for name, value in raw.items() if name in ("cls", "json")}
        return Latents(**energon.basic_sample_keys(raw), wlc=decode("x.wlc", raw["wlc"]), others=others)

    class Encoder(energon.DefaultTaskEncoder):
        cookers = (energon.Cooker(cook),)

        def batch(self, samples):
            return samples

    return Encoder()


def read(out, split, workers=0):
    """(key, latents, label) of each sample, as energon gives them."""
    dataset = energon.get_val_dataset(
        out,
        split_part=split,
        batch_size=2,
        worker_config=energon.WorkerConfig(rank=0, world_size=1, num_workers=workers),
        task_encoder=encoder(out),
    )
    for batch in energon.get_loader(dataset):
        for member in batch:
            if isinstance(member.wlc, list):
                yield from ((one["key"], one["latents"], one["label"]) for one in member.wlc)
            else:
                yield member.others["json"]["key"], member.wlc, member.others["cls"]


@pytest.mark.parametrize("split", ["train", "val"])
def test_energon_reads_the_same(prepared, split):
    ours = LatentDataset(prepared, split)
    expected = {ours.fields(i)["key"]: ours[i] for i in range(len(ours))}
    found = {key: (latents, label) for key, latents, label in read(prepared, split)}
    assert sorted(found) == sorted(expected)
    assert all(torch.equal(x, expected[key][0]) and y == expected[key][1] for key, (x, y) in found.items())


def test_preparing_changes_nothing_of_ours(prepared, dataset, samples_dataset):
    after = contents(prepared)
    for name, data in contents(
        dataset if LatentDataset(prepared).manifest.layout == "records" else samples_dataset
    ).items():
        assert after[name] == data
    assert len(LatentDataset(prepared)) == 60
