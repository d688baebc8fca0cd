"""Codecs by original checkpoints: what they give, refuse and keep; `test_original_package` has the package itself."""

import json
import pickle

import pytest
import torch

from tests.original_checkpoints import SETTINGS, codec_of_numbers, drawn, shapes, signal
from tests.original_expected import EVERY, FILE
from walloc_data import Codec
from walloc_data.codec.original import Architecture, OriginalCodec
from walloc_data.errors import CodecError
from walloc_data.transforms import flip
from walloc_data.zoo import load_codec, save_codec

EXPECTED = json.loads(FILE.read_text("utf-8"))
FINGERPRINTS = {
    "rgb": "cba9090695c16885",
    "stereo-filter": "1244dc428ef8e43d",
    "mono-deep-encoder-filter": "8c51772fd2ffbfe8",
}  # frozen


@pytest.fixture(scope="module", params=SETTINGS)
def codec(request: pytest.FixtureRequest) -> OriginalCodec:
    return codec_of_numbers(request.param)


def test_latents_and_signals_are_what_the_package_gave(codec: OriginalCodec) -> None:
    settings, expected = SETTINGS[codec.name], EXPECTED[codec.name]
    x = signal(settings)
    z = codec.encode(x)
    assert z.shape == (1, *codec.latent_shape(x.shape[2:]))
    latents = torch.tensor(expected["latents"], dtype=torch.int8).reshape(1, codec.channels, -1)
    if codec.config.dims == 1 and settings["lightweight_encode"]:
        latents = latents[..., 1:-1]  # without the columns that are always the same
    latents = latents.reshape(z.shape)
    assert (z.int() - latents.int()).abs().max() <= 1
    assert (z != latents).sum() <= 1  # a value on a tie may be rounded otherwise by another machine
    decoded = codec.decode(latents)
    assert decoded.shape == x.shape
    torch.testing.assert_close(decoded.flatten()[::EVERY], torch.tensor(expected["decoded"]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_fingerprints_are_frozen(name: str) -> None:
    assert codec_of_numbers(name).fingerprint == FINGERPRINTS[name]


def test_files_keep_latents_to_the_bit_and_the_decoder_nearly(codec: OriginalCodec, tmp_path) -> None:
    save_codec(codec, tmp_path / "some.safetensors")
    again = load_codec(tmp_path / "some.safetensors")
    assert isinstance(again, OriginalCodec)
    assert (again.name, again.fingerprint, again.config) == (codec.name, codec.fingerprint, codec.config)
    x = signal(SETTINGS[codec.name])
    z = again.encode(x)
    assert torch.equal(z, codec.encode(x))
    difference = (again.decode(z) - codec.decode(z)).square().mean().sqrt()
    assert 0 < difference < 0.01  # numbers of half precision
    assert torch.equal(again.with_decoder(codec).decode(z), codec.decode(z))
    save_codec(again, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "some.safetensors").read_bytes()
    assert torch.equal(pickle.loads(pickle.dumps(again)).decode(z), again.decode(z))


def test_floats_are_decoded_alike_and_pass_gradients(codec: OriginalCodec) -> None:
    z = codec.encode(signal(SETTINGS[codec.name]))
    f = codec.dequantize(z)
    assert torch.equal(codec.quantize(f), z)
    torch.testing.assert_close(codec.decode(f), codec.decode(z), atol=1e-6, rtol=0)
    floats = f.clone().requires_grad_()
    codec.decode(floats).sum().backward()
    assert floats.grad is not None
    assert floats.grad.abs().max() > 0
    exact = codec.decode(f.double())
    assert exact.dtype == torch.float64
    torch.testing.assert_close(exact.float(), codec.decode(z), atol=1e-3, rtol=0)


def test_sizes_are_padded_and_cropped_and_batches_are_their_samples(codec: OriginalCodec) -> None:
    x = signal(SETTINGS[codec.name], batch=3)
    x = x[..., : -3 - codec.config.factors[-1]]
    z = codec.encode(x)
    assert z.shape == (3, *codec.latent_shape(x.shape[2:]))
    assert codec.decode(z, x.shape[2:]).shape == x.shape
    assert int((torch.cat([codec.encode(one[None]) for one in x]).int() - z.int()).abs().max()) <= 1
    assert codec.encode(x[:0]).shape == (0, *z.shape[1:])


def test_whole_numbers_are_taken() -> None:
    image, sound = codec_of_numbers("rgb"), codec_of_numbers("stereo")
    pixels = torch.arange(3 * 32 * 32, dtype=torch.uint8).reshape(1, 3, 32, 32)
    assert torch.equal(image.encode(pixels), image.encode(pixels / 255))
    samples = torch.arange(-8192, 8192, dtype=torch.int16).reshape(1, 2, 8192)
    assert torch.equal(sound.encode(samples), sound.encode(samples / 32768))
    with pytest.raises(CodecError, match=r"floats in \[0, 1\]"):
        image.encode(pixels.float())


def test_a_coarser_one_has_fewer_latents_to_tell_apart() -> None:
    codec = codec_of_numbers("rgb")
    coarse, x = codec.coarser(4), signal(SETTINGS["rgb"])
    assert codec.coarser(1) is codec
    assert coarse.name == "rgb:x4"
    assert coarse.fingerprint != codec.fingerprint
    z, fine = coarse.encode(x), codec.encode(x)
    assert (4 * z.int() - fine.int()).abs().max() <= 2
    torch.testing.assert_close(coarse.dequantize(z), codec.dequantize(fine), atol=0.05, rtol=0.05)
    with pytest.raises(CodecError, match="from 1 on"):
        codec.coarser(0.5)


def test_what_such_a_codec_cannot_do_is_said() -> None:
    codec, other = codec_of_numbers("rgb"), load_codec("rgb-f8c12")
    assert codec.prefix(5) is codec
    with pytest.raises(CodecError, match="in no order"):
        codec.prefix(3)
    with pytest.raises(CodecError, match=r"'bior4\.4'.*cannot be flipped"):
        flip(codec.encode(signal(SETTINGS["rgb"])), codec)
    with pytest.raises(CodecError, match="all latents count everywhere"):
        assert codec.margin
    assert codec_of_numbers("stereo").margin == 90
    for one, another in ((codec, other), (other, codec), (codec, codec_of_numbers("gray"))):
        with pytest.raises(CodecError, match="is of other latents"):
            one.with_decoder(another)
    with pytest.raises(CodecError, match="takes latents int8"):
        codec.dequantize(torch.zeros(1, 4, 3, 3, dtype=torch.int8))
    with pytest.raises(CodecError, match="NaN"):
        codec.quantize(torch.full((5, 3, 3), torch.nan))
    with pytest.raises(CodecError, match="a batch"):
        codec.decode(torch.zeros(5, 3, 3, dtype=torch.int8))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"latent_bits": 9}, "2 to 8 bits"),
        ({"latent_bits": 1}, "2 to 8 bits"),
        ({"Nd": 48}, "no multiple of 32"),
        ({"Nd": 1 << 20}, "beyond any such codec"),
        ({"J": 12}, "beyond any such codec"),
        ({"J": "2"}, "J is a whole number from 1 on, not '2'"),
        ({"channels": 0}, "channels is a whole number"),
        ({"lightweight_encode": 1}, "lightweight_encode is a bool"),
    ],
)
def test_hyper_parameters_of_no_such_codec(change, said: str) -> None:
    with pytest.raises(CodecError, match=said):
        Architecture.of({**SETTINGS["rgb"], **change}, dims=2)


def test_numbers_that_half_precision_does_not_hold_are_not_written(tmp_path) -> None:
    tensors = drawn(shapes(SETTINGS["rgb"]))
    tensors["decoder.1.conv_in.bias"] *= 1e8
    codec = OriginalCodec("large", Architecture.of(SETTINGS["rgb"], dims=2), tensors)
    with pytest.raises(CodecError, match=r"conv_in\.bias has numbers that are not finite in half precision"):
        save_codec(codec, tmp_path / "some.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda metadata: metadata.update(version=2), "upgrade walloc_data"),
        (lambda metadata: metadata["codec"].pop("Nd"), "lack Nd"),
        (lambda metadata: metadata["codec"].update(dims=3), "damaged|no such codec"),
        (lambda metadata: metadata["codec"].update(times=0), "from 1 on"),
        (lambda metadata: metadata["codec"].pop("name"), "damaged"),
        (lambda metadata: metadata.pop("codec"), "damaged"),
        (lambda metadata: metadata["codec"].update(Nd=64), "of another checkpoint"),
    ],
)
def test_what_is_wrong_in_a_file_is_a_sentence(change, said: str) -> None:
    tensors, metadata = codec_of_numbers("rgb").state()
    change(metadata)
    with pytest.raises(CodecError, match=said) as caught:
        OriginalCodec.from_state(tensors, metadata, origin="here")
    assert str(caught.value).startswith("here")


def test_files_of_either_kind_are_not_taken_for_the_other() -> None:
    tensors, metadata = codec_of_numbers("rgb").state()
    with pytest.raises(CodecError, match="it is no codec"):
        Codec.from_state(tensors, metadata, origin="here")
