"""The training of a codec: `train_codec`."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch

from walloc_data.codec import Codec
from walloc_data.codec.original import OriginalCodec
from walloc_data.errors import TrainError
from walloc_data.signals import Reader, reader_for
from walloc_data.sources import open_source
from walloc_data.train.model import trained_network
from walloc_data.train.options import TrainOptions
from walloc_data.train.perception import perceptual_weights
from walloc_data.train.precision import precisely
from walloc_data.train.processes import Processes
from walloc_data.train.samples import read_samples
from walloc_data.train.training import TrainedCodec, Training
from walloc_data.write.clips import cut
from walloc_data.zoo import load_codec

__all__ = ["train_codec"]


def train_codec(
    source: Any,
    out: str | os.PathLike[str],
    *,
    codec: Codec | str | os.PathLike[str] = "rgb-f8c12",
    reader: Reader | None = None,
    options: TrainOptions | None = None,
    progress: bool = False,
) -> TrainedCodec:
    """Train the encoder and a decoder of `codec` together, or with `decoder_only` a decoder alone, and write `out`.

    `source` is whatever `open_source` takes, `out` a file that ends with `.safetensors`. The encoder is the linear map
    that it was; around the quantiser it learns what the decoder can bring back (noise stands for rounding; for the last
    three tenths of the steps the encoder is frozen and latents are rounded). Beside `out` there are a checkpoint, from
    which the same call goes on (the losses are those of a training that was never stopped), a log of JSON lines, and of
    images a picture. A split called `val` or `test`, or each sixteenth sample, is not trained on: on some of it the
    codec is judged.

    Raises `TrainError` for options or samples that do not do, for a device that is not there, for a checkpoint of
    another training, and where numbers stop being finite; `SourceError` for what is no source and `CodecError` for what
    is no codec.

    Where `torchrun` has started several processes that call this alike, each takes its share of the windows of every
    batch, on a GPU of its own where there are GPUs; the first one writes, and losses are those of one process up to
    rounding. What raises in one of them ends all.
    """
    options, out = options or TrainOptions(), Path(out)
    if out.suffix != ".safetensors":
        raise TrainError(f"{out}: the file of a codec ends with .safetensors")
    processes = Processes()
    processes.share(options.batch)
    device = processes.device(options.device)
    if not isinstance(codec, Codec) and out.exists() and Path(codec).exists() and out.samefile(codec):
        raise TrainError(f"{out} is the codec that is to be trained further: choose another OUT")
    codec = codec if isinstance(codec, Codec) else load_codec(codec)
    if isinstance(codec, OriginalCodec):
        raise TrainError(f"codec {codec.name!r} is one of the package walloc, which trains it: train one of the zoo")
    if options.perceptual:
        perceptual_weights(codec.config, options.perceptual)  # refuses what no eye sees
    network = trained_network(codec, options)  # refuses a grid that there is not, and another network than there is
    reader, progress = reader or reader_for(codec.config), progress and processes.first
    try:
        with processes.joined(device):
            with processes.alike():
                raw = cut(open_source(source, suffixes=reader.suffixes), reader)
                samples = read_samples(raw, reader, codec, options, progress=progress)
                parts = {"codec": codec.fingerprint, "decoder": codec.network.name, "source": raw.digest()}
                parts["start"] = _digest(codec)
                parts["reading"] = json.loads(json.dumps(reader.config()))  # as a checkpoint has it
            identity = {**parts, **options.identity(network.settings if network else None)}
            training = Training(codec, samples.to(device), options, device, identity, out, processes)
            with precisely(training.precision):
                training.run(progress=progress)
                return training.conclude()
    except torch.cuda.OutOfMemoryError as error:
        raise TrainError(f"{device} has not enough memory for this: train with a smaller batch or window") from error
    except OSError as error:
        raise TrainError(
            f"cannot write {error.filename or out}: {error.strerror or error}. The last checkpoint is kept: make room, "
            "then run the same command again to go on"
        ) from error


def _digest(codec: Codec) -> str:
    """Of all that a training starts from: fingerprints say nothing of decoders."""
    digest = hashlib.sha256()
    for name, tensor in sorted(codec.state()[0].items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()[:16]
