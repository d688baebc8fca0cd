"""A better decoder for a dataset that is there already: no shard is touched."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from walloc_data.codec import Codec
from walloc_data.dataset_codec import read_dataset_codec, write_dataset_codec
from walloc_data.errors import CodecError, DatasetError
from walloc_data.format import CODEC_FILE, MANIFEST_FILE, Manifest, readable_psnr, replace_file
from walloc_data.storage import open_storage
from walloc_data.write.finish import CARD_FILE
from walloc_data.write.lock import owned
from walloc_data.zoo import load_codec

__all__ = ["replace_decoder"]


def replace_decoder(dataset: str | os.PathLike[str], codec: Codec | str | os.PathLike[str]) -> Codec:
    """Give the dataset in a folder the decoder of `codec`, a codec or what `load_codec` takes; returns its codec.

    Latents, name and fingerprint stay, and with them whatever was trained on the dataset. Its PSNR is unknown from then
    on, since what was measured was of the decoder before. If it is interrupted, the same call mends what it left.

    Raises `DatasetError` for what is no finished dataset in a folder, for one that another run writes to, and for a
    codec of other latents, and `CodecError` for what is no codec.
    """
    out = Path(dataset)
    if not (out / MANIFEST_FILE).is_file():
        raise DatasetError(f"{out} is no finished dataset in a folder: it has no {MANIFEST_FILE}")
    codec = codec if isinstance(codec, Codec) else load_codec(codec)
    try:
        with owned(out):
            manifest = Manifest.read(out)
            # Not held to the manifest's sum: a run that was interrupted between the two files is made good.
            own, coder = read_dataset_codec(open_storage(out))
            try:
                better = own.with_decoder(codec)
            except CodecError as error:
                raise DatasetError(f"{out}: {error}") from error
            write_dataset_codec(out, better, coder)
            digest = hashlib.sha256((out / CODEC_FILE).read_bytes()).hexdigest()
            changed = replace(manifest, codec_sha256=digest, summary=replace(manifest.summary, psnr=None))
            card = out / CARD_FILE
            if card.is_file():  # it may have been edited, so nothing but the figure changes
                before, now = (f"| {readable_psnr(each.summary.psnr)} |" for each in (manifest, changed))
                replace_file(card, card.read_text("utf-8", "surrogateescape").replace(before, now))
            changed.write(out)
    except OSError as error:
        raise DatasetError(f"cannot write in {out}: {error.strerror or error}. Run the same again") from error
    return better
