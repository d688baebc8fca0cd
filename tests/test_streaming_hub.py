"""From a push to a training run, as a new user would do it, with a server that speaks the Hub's protocol."""

import pytest
import torch
from huggingface_hub import constants

from walloc_data import LatentDataset, StorageOptions, StreamingLatentDataset, load_codec
from walloc_data.cli import main
from walloc_data.errors import DatasetError

pytestmark = [
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*set_vital:UserWarning"),
]


@pytest.fixture
def pushed(hub, dataset, monkeypatch, tmp_path):
    """The dataset, private, in the repository ann/latents; and Ann, logged in."""
    monkeypatch.setenv("HF_TOKEN", hub.token("ann"))
    monkeypatch.setenv("WALLOC_CACHE", str(tmp_path / "cache"))
    assert main(["push", str(dataset), "ann/latents", "--private", "--license", "cc-by-4.0"]) == 0
    return "hf://ann/latents"


def stream(root, **options):
    return StreamingLatentDataset(root, batch_size=7, columns=("label", "key"), seed=3, **options)


def test_a_training_run_on_what_was_pushed(pushed, dataset):
    train, val = stream(pushed), LatentDataset(pushed, "val")
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12 * 8 * 8, len(train.classes)))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    loader = train.loader(num_workers=2)
    losses = []
    for epoch in range(4):
        train.set_epoch(epoch)
        for x, y, _ in loader:
            loss = torch.nn.functional.cross_entropy(model(train.codec.dequantize(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert sum(losses[-9:]) < 0.5 * sum(losses[:9])
    x, y = (torch.stack([torch.as_tensor(part[i]) for part in val]) for i in (0, 1))
    assert (model(val.codec.dequantize(x)).argmax(1) == y).float().mean() > 0.5


def test_the_order_and_the_bytes_are_those_of_the_folder(pushed, dataset):
    local = [(x.numpy().tobytes(), y.tolist(), keys) for x, y, keys in stream(dataset)]
    loader = stream(pushed).loader(num_workers=1)
    assert [(x.numpy().tobytes(), y.tolist(), keys) for x, y, keys in loader] == local
    half = stream(dataset)
    batches = iter(half)
    taken = [next(batches)[2] for _ in range(4)]
    rest = stream(pushed)
    rest.load_state_dict(half.state_dict())  # where the data lie is no part of what they are
    assert taken + [keys for _, _, keys in rest] == [keys for _, _, keys in local]
    assert load_codec("hf://datasets/ann/latents").fingerprint == half.codec.fingerprint


def test_a_later_push_does_not_change_a_run_under_way(pushed, hub, dataset, samples_dataset):
    running = stream(pushed)
    expected = [keys for _, _, keys in stream(dataset)]
    assert main(["push", str(samples_dataset), "ann/latents", "--private", "--replace"]) == 0
    [before] = running.state_dict()["commits"]
    assert [keys for _, _, keys in running] == expected
    later = stream(pushed)
    [after] = later.state_dict()["commits"]
    assert len(before) == len(after) == 40
    with pytest.raises(DatasetError, match=rf"another run \(dataset.*; of commit {before}, not {after}\)"):
        later.load_state_dict(running.state_dict())
    stream(f"{pushed}@{before}").load_state_dict(running.state_dict())


def test_a_run_without_a_network_is_the_run_before(pushed, hub, monkeypatch, caplog):
    before = [(x.numpy().tobytes(), keys) for x, _, keys in stream(pushed)]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.forget_requests()
    for workers in (0, 1):
        loader = stream(pushed).loader(num_workers=workers)
        assert [(x.numpy().tobytes(), keys) for x, _, keys in loader] == before
    assert len(LatentDataset(pushed, "val")) == 12
    assert hub.requests == hub.storage_requests == []
    assert "HF_HUB_OFFLINE is set. What is read is main as it was known on" in caplog.text


def test_who_may_not_and_what_is_not_there(pushed, hub, monkeypatch, tmp_path):
    options = StorageOptions(cache_dir=tmp_path / "other", retries=1)
    with pytest.raises(DatasetError, match="no split 'test'"):
        StreamingLatentDataset(pushed, "test", batch_size=4, storage=options)
    with pytest.raises(DatasetError, match="ann/nothing"):
        stream("hf://ann/nothing", storage=options)
    with pytest.raises(DatasetError, match="revision"):
        stream(pushed + "@elsewhere", storage=options)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(DatasetError, match="HF_TOKEN"):
        stream(pushed, storage=options)
    with_token = StorageOptions(cache_dir=tmp_path / "other", token=hub.token("ann"))
    assert len(stream(pushed, storage=with_token)) == 9
