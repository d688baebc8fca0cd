"""What a codec may be made for, and the signals it takes."""

import pytest
import torch

from walloc_data.codec import CodecConfig
from walloc_data.errors import CodecError

IMAGE = {"name": "t", "kind": "image", "signal_channels": 3, "dims": 2, "levels": 3, "wavelet": "10/18"}
VIDEO = {"name": "v", "kind": "video", "signal_channels": 3, "dims": 3, "levels": [2, 3, 3], "wavelet": "10/18"}
AUDIO = {"name": "a", "kind": "audio", "signal_channels": 2, "dims": 1, "levels": 5, "wavelet": "db4"}


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "smell"},
        {"dims": 0},
        {"dims": 4},
        {"levels": 0},
        {"levels": 13},
        {"signal_channels": 0},
        {"signal_channels": 65536},
        {"wavelet": "db99"},
        {"levels": 2.5},
        {"levels": 3.0},
        {"dims": "2"},
        {"name": 7},
        {"kind": "video"},
        {"levels": (3,)},
        {"levels": (3, 3, 3)},
        {"levels": (0, 0)},
        {"levels": (3, -1)},
        {"levels": (13, 1)},
        {"levels": (True, 1)},
        {"levels": "33"},
        {"levels": ()},
    ],
)
def test_what_no_codec_can_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(CodecError):
        CodecConfig(**(IMAGE | change))


def test_sizes() -> None:
    config = CodecConfig(**IMAGE)
    assert (config.factor, config.packet_channels, config.row_length) == (8, 192, 48)
    other = CodecConfig(**AUDIO)
    assert (other.factor, other.packet_channels, other.row_length) == (32, 64, 64)


def test_levels_of_each_dimension() -> None:
    config = CodecConfig(**VIDEO)
    assert (config.levels, config.factors, config.factor, config.grid) == ((2, 3, 3), (4, 8, 8), (4, 8, 8), "t4f8")
    assert (config.packet_channels, config.row_length) == (768, 96)
    still = CodecConfig(**(VIDEO | {"levels": (0, 3, 3)}))
    assert (still.factors, still.packet_channels, still.row_length) == ((1, 8, 8), 192, 48)


def test_equal_levels_are_one_number() -> None:
    assert CodecConfig(**(IMAGE | {"levels": [3, 3]})) == CodecConfig(**IMAGE)
    assert CodecConfig(**(IMAGE | {"levels": (3, 3)})).levels == 3


def test_bytes_become_floats_of_the_kind() -> None:
    image = CodecConfig(**IMAGE).to_float(torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1))
    torch.testing.assert_close(image.flatten(), torch.tensor([0, 0.2, 1]))
    audio = CodecConfig(**AUDIO).to_float(torch.tensor([-32768, 16384], dtype=torch.int16).reshape(1, 2, 1))
    torch.testing.assert_close(audio.flatten(), torch.tensor([-1, 0.5]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_floats_are_taken_as_they_are(dtype: torch.dtype) -> None:
    x = torch.full((1, 3, 2, 2), 0.25, dtype=dtype)
    y = CodecConfig(**IMAGE).to_float(x)
    assert y.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.equal(y.double(), x.double())


@pytest.mark.parametrize("value", [-0.02, 1.02, 255.0, float("nan"), float("inf"), -float("inf")])
def test_floats_out_of_range_are_refused(value: float) -> None:
    x = torch.full((1, 3, 4, 4), 0.5)
    x[0, 1, 2, 3] = value
    with pytest.raises(CodecError, match=r"floats in \[0, 1\]"):
        CodecConfig(**IMAGE).to_float(x)


def test_a_float_image_of_bytes_is_told_what_to_do() -> None:
    with pytest.raises(CodecError, match="divide by 255, or pass uint8"):
        CodecConfig(**IMAGE).to_float(torch.full((1, 3, 4, 4), 200.0))


@pytest.mark.parametrize(
    ("config", "dtype"),
    [(IMAGE, torch.int16), (IMAGE, torch.int8), (IMAGE, torch.bool), (AUDIO, torch.uint8), (AUDIO, torch.int32)],
)
def test_other_dtypes_are_refused(config: dict[str, object], dtype: torch.dtype) -> None:
    made = CodecConfig(**config)
    with pytest.raises(CodecError, match=r"not torch\."):
        made.to_float(torch.zeros(1, made.signal_channels, *[8] * made.dims, dtype=dtype))


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 1, 8, 8), (1, 3, 8), (1, 3, 0, 8), (1, 8, 8, 3), ()])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(CodecError, match=r"takes signals \[B, 3, 2 space dims\]"):
        CodecConfig(**IMAGE).to_float(torch.zeros(shape))


def test_what_is_no_tensor_is_refused() -> None:
    with pytest.raises(CodecError, match="takes tensors, not ndarray"):
        CodecConfig(**IMAGE).to_float(torch.zeros(1, 3, 8, 8).numpy())
