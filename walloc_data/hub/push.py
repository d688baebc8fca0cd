"""A dataset folder to the Hugging Face Hub: resumable, and complete there or not there at all."""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from huggingface_hub import CommitOperationAdd
from tqdm import tqdm

from walloc_data.errors import DatasetError
from walloc_data.format import CODEC_FILE, MANIFEST_FILE, Manifest, dataset_card, read_index
from walloc_data.hub.card import merged_card
from walloc_data.hub.repo import HubRepo, Upload
from walloc_data.read.opened import open_dataset
from walloc_data.report.view import small_picture
from walloc_data.signals import told

__all__ = ["check_push", "push_dataset"]

_CARD_FILE, _PICTURE_FILE = "README.md", "samples.jpg"
_MOST_FILES = 10_000  # that the Hub takes in a folder
_COMMIT_FILES, _COMMIT_BYTES = 200, 4 << 30
_TOGETHER = 8  # files checked, then sent, at a time


def check_push(
    repo: str,
    *,
    license: str | None = None,
    task: str | None = None,
    title: str | None = None,
    token: str | None = None,
) -> None:
    """Whether `push_dataset` with these options can begin: known before hours of encoding, not after them.

    Raises `DatasetError` for a name that is none, a licence or task that is no id, and where there is no token
    that may write.
    """
    for name, value in (("license", license), ("task", task)):
        if value is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", value):
            raise DatasetError(f"{name} {value!r} is no id of the Hub, such as cc-by-4.0 or image-classification")
    if title is not None and not (title.strip() and title.isprintable()):
        raise DatasetError(f"title {title!r} is not a line of text")
    HubRepo(repo, token=token).check_token()


def push_dataset(
    out: str | os.PathLike[str],
    repo: str,
    *,
    private: bool = False,
    license: str | None = None,
    task: str | None = None,
    title: str | None = None,
    revision: str | None = None,
    token: str | None = None,
    replace: bool = False,
    progress: bool = False,
) -> str:
    """Push a dataset folder to a dataset repository `user/name` of the Hub, and give the address of its page.

    The repository, and the branch `revision` (default: `main`), are made where they are not there yet, `private` or
    not. Shards go first, in commits of bounded size, the card and the manifest last: a push that was interrupted leaves
    nothing that looks complete, and the same call again sends only what is missing. `license` and `task` are ids of
    the Hub, `title` a line for people; they go into the card, which keeps what was added to it on the Hub. `token` is
    one that may write (default: that of `hf auth login` or HF_TOKEN). `replace` first takes away another dataset
    that the repository holds. `progress` shows a bar on a terminal.

    Raises `FormatError`, `CodecError` or `DatasetError` for a folder that is no whole dataset, and `DatasetError`
    where the Hub cannot be reached, refuses, or holds another dataset there.
    """
    out = Path(out)
    manifest = Manifest.read(out)
    check_push(repo, license=license, task=task, title=title, token=token)
    uploads = _uploads(out, manifest)
    picture = small_picture(out)
    name = None if picture is None else _PICTURE_FILE
    reading = manifest.options.get("read")
    what = told(open_dataset(out).codec.config, reading if isinstance(reading, dict) else {})
    card = dataset_card(manifest, repo=repo, license=license, task=task, title=title, picture=name, **what._asdict())
    card = card.encode("utf-8", "backslashreplace").decode()  # a class may be a file name that is no UTF-8
    there = HubRepo(repo, revision=revision, token=token)
    there.check_card(card)
    there.create(private=private)
    found = there.files()
    ours = {upload.name: upload for upload in uploads}
    foreign = [name for name in found if _is_data(name) and not (name in ours and ours[name].is_at(found[name]))]
    if foreign:
        if not replace:
            raise DatasetError(
                f"{there.url} holds another dataset ({foreign[0]} and {len(foreign) - 1} more files are not of "
                f"{out}): choose another name, or replace it (--replace)"
            )
        gone = [*foreign, MANIFEST_FILE] if MANIFEST_FILE in found else foreign
        there.delete(gone, "Take away what is replaced")
        found = {name: entry for name, entry in found.items() if name not in gone}
    missing = [upload for upload in uploads if not upload.is_at(found.get(upload.name))]
    with tqdm(
        desc="pushing", total=sum(u.size for u in missing), unit="B", unit_scale=True, disable=not progress or None
    ) as bar:
        for part, batch in enumerate(_batches(missing), 1):
            there.commit(_sent(there, out, batch, bar), f"Shards of {manifest.codec} latents, part {part}")
    last = [Upload.of(_CARD_FILE, merged_card(card, there.read(_CARD_FILE) if _CARD_FILE in found else b""))]
    last += [] if picture is None else [Upload.of(_PICTURE_FILE, picture)]
    last += [Upload.of(MANIFEST_FILE, out / MANIFEST_FILE)]
    if changed := [upload for upload in last if not upload.is_at(found.get(upload.name))]:
        there.commit(there.send(changed), "Card and manifest")
    return there.url


def _uploads(out: Path, manifest: Manifest) -> list[Upload]:
    """The codec, shards and indices, in the order they are sent; the bytes of tars are not read yet."""
    if not (out / CODEC_FILE).is_file():
        raise DatasetError(f"{out / CODEC_FILE} is missing: copy it again, or shard the data anew")
    uploads = [Upload.of(CODEC_FILE, out / CODEC_FILE)]
    for shard in (shard for shards in manifest.splits.values() for shard in shards):
        path = out / shard.name
        if not path.is_file() or path.stat().st_size != shard.bytes:
            raise DatasetError(f"{path} is missing or cut short: copy it again, or shard the data anew")
        entries, tar_bytes = read_index(path.with_suffix(".idx"))
        if tar_bytes != shard.bytes or int(entries["samples"].sum()) != shard.samples:
            raise DatasetError(f"{path.with_suffix('.idx')} is not of the shard that the manifest describes")
        uploads += [Upload(shard.name, path, shard.bytes, shard.sha256)]
        uploads += [Upload.of(path.with_suffix(".idx").name, path.with_suffix(".idx"))]
    if len(uploads) > _MOST_FILES - 10:
        raise DatasetError(
            f"{out} has {len(uploads):,} files, and the Hub takes {_MOST_FILES:,} in a folder: make larger shards "
            "(--shard-samples)"
        )
    return uploads


def _is_data(name: str) -> bool:
    """Whether a file of a repository is one of a dataset's, by its name."""
    return name == CODEC_FILE or ("/" not in name and name.endswith((".tar", ".idx")))


def _batches(uploads: Sequence[Upload]) -> Iterator[list[Upload]]:
    """What goes into a commit each."""
    batch: list[Upload] = []
    for upload in uploads:
        if batch and (len(batch) == _COMMIT_FILES or sum(u.size for u in batch) + upload.size > _COMMIT_BYTES):
            yield batch
            batch = []
        batch.append(upload)
    if batch:
        yield batch


def _sent(there: HubRepo, out: Path, uploads: Sequence[Upload], bar: "tqdm[None]") -> list[CommitOperationAdd]:
    """Check files, and send them, a few at a time."""
    additions: list[CommitOperationAdd] = []
    waiting = iter(uploads)
    while some := list(islice(waiting, _TOGETHER)):
        for upload in some:
            if Upload.of(upload.name, upload.content) != upload:
                raise DatasetError(
                    f"{out / upload.name} is not what the manifest describes: copy it again, or shard the data anew"
                )
        additions += there.send(some)
        bar.update(sum(upload.size for upload in some))
    return additions
