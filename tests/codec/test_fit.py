"""The closed-form fit: what it promises of its steps, channels and decoder, for any number of dimensions."""

from collections.abc import Iterator

import pytest
import torch

from tests.synthetic import NAMES, dense_rows, photograph
from walloc_data.codec import LATENT_MAX, Codec, CodecConfig, fit, psnr
from walloc_data.codec.packets import analyze
from walloc_data.errors import CodecError


def config(**change: object) -> CodecConfig:
    settings = {"name": "t", "kind": "image", "signal_channels": 3, "dims": 2, "levels": 3, "wavelet": "10/18"}
    return CodecConfig(**(settings | change))


def photographs(mode: str = "RGB", size: int = 160) -> list[torch.Tensor]:
    return [photograph(name, mode)[None, :, 100 : 100 + size, 60 : 60 + size] for name in NAMES]


def quality(codec: Codec, signals: list[torch.Tensor]) -> float:
    decoded = [codec.decode(codec.encode(x), size=x.shape[2:]) for x in signals]
    return sum(psnr(y, x / 255) for x, y in zip(signals, decoded, strict=True)) / len(signals)


@pytest.mark.parametrize("wavelet", ["10/18", "rbio1.3", "haar", "bior4.4", "db4"])
def test_all_channels_and_a_tiny_step_keep_nearly_everything(wavelet: str) -> None:
    signals = photographs()
    made = config(wavelet=wavelet, levels=2)
    codec = fit(signals, made, channels=made.packet_channels, step=1e-6)
    assert quality(codec, signals) > 44  # eight bits a channel are what is left to lose


def test_more_channels_and_finer_steps_are_better() -> None:
    signals = photographs()
    qualities = [
        quality(fit(signals, config(), channels=c, step=s), signals) for c, s in [(6, 0.2), (24, 0.1), (96, 0.02)]
    ]
    assert qualities[0] + 2 < qualities[1] < qualities[2] - 3


@pytest.mark.parametrize("wavelet", ["10/18", "bior4.4"])
def test_nothing_saturates_on_the_fitted_data(wavelet: str) -> None:
    signals = photographs()
    codec = fit(signals, config(wavelet=wavelet), channels=48, step=0.01)
    assert (codec.steps > codec.steps.min()).any()
    largest = torch.stack([codec.encode(x).int().abs().amax((0, 2, 3)) for x in signals]).amax(0)
    assert largest.max() < LATENT_MAX
    assert (largest[codec.steps > 0.0101] >= 119).all()  # and no step is wider than it must be


def test_one_step_serves_all_other_channels() -> None:
    codec = fit(photographs(), config(), channels=24, step=0.3)
    assert torch.equal(codec.steps, torch.full((24,), 0.3))


def test_the_step_follows_the_knee() -> None:
    signals = photographs()
    coarse, fine = (fit(signals, config(), channels=12, knee=knee) for knee in (0.2, 0.05))
    torch.testing.assert_close(coarse.steps.min(), 2 * fine.steps.min())


def test_channels_fall_in_variance_and_are_uncorrelated() -> None:
    signals = photographs()
    codec = fit(signals, config(), channels=24, step=0.02)
    mirrored = [x.flip(axes) for x in signals for axes in ((), (2,), (3,), (2, 3))]
    z = torch.cat([codec.encode(x).double()[0].flatten(1) for x in mirrored], 1) * codec.steps.double()[:, None]
    second = z @ z.T / z.shape[1]
    scale = second.diagonal().sqrt()
    correlation = second / torch.outer(scale, scale)
    other_class = (codec.odd[:, None] != codec.odd[None]).any(-1)
    assert len(torch.unique(codec.odd, dim=0)) > 1
    assert correlation[other_class].abs().max() < 1e-3
    # Within a class, what is left is rounding to steps.
    assert (correlation - torch.eye(24)).abs().max() < 0.05


def test_the_transform_is_about_the_mean_even_where_high_passes_have_one() -> None:
    dot = torch.zeros(4, 4)
    dot[1:3, 1:3] = 0.1
    noise = 0.02 * torch.randn(8, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    x = 0.8 + dot.repeat(16, 16) + noise
    made = config(signal_channels=1, levels=2)
    codec = fit([x], made, channels=4, step=1e-3)
    y = analyze(x.double() - codec.mean.double(), wavelet="10/18", levels=2).transpose(0, 1).flatten(1)
    rows = dense_rows(codec)
    z = rows @ y
    covariance = z @ z.T / z.shape[1]
    even = (~codec.odd).all(1)
    scale = covariance.diagonal().sqrt()
    correlation = (covariance / torch.outer(scale, scale))[even][:, even]
    assert even.sum() > 1
    assert (correlation - torch.eye(len(correlation))).abs().max() < 1e-3


def test_the_decoder_is_no_worse_than_the_inverse_of_the_encoder() -> None:
    signals = photographs()
    for wavelet in ("10/18", "haar", "bior4.4"):
        codec = fit(signals, config(wavelet=wavelet), channels=12, knee=0.3)
        inverse = torch.linalg.pinv(codec.encoder.double()).T if wavelet == "bior4.4" else codec.encoder
        settings = {n: getattr(codec, n) for n in ("mean", "odd", "encoder", "steps", "scale")}
        assert quality(codec, signals) >= quality(Codec(codec.config, decoder=inverse, **settings), signals) - 0.01


def test_weights_make_the_fit_better_than_plain_channels_would_be() -> None:
    signals = photographs()
    weighted = fit(signals, config(), channels=12, step=0.05)
    orthonormal = fit(signals, config(wavelet="haar"), channels=12, step=0.05)
    assert quality(weighted, signals) > quality(orthonormal, signals)


def test_emphasis_keeps_detail_at_the_cost_of_pixels() -> None:
    signals = photographs()
    plain, detailed = (fit(signals, config(), channels=12, emphasis=emphasis) for emphasis in (0.0, 1.0))
    errors = {}
    for name, codec in (("plain", plain), ("detailed", detailed)):
        error = [codec.decode(codec.encode(x), size=x.shape[2:]) - x / 255 for x in signals]
        steepness = [(e.diff(dim=2).square().mean() + e.diff(dim=3).square().mean()).item() for e in error]
        errors[name] = sum(e.square().mean().item() for e in error), sum(steepness)
    assert errors["detailed"][0] > errors["plain"][0]
    assert errors["detailed"][1] < errors["plain"][1]


@pytest.mark.parametrize("emphasis", [-0.1, float("inf"), float("nan")])
def test_an_emphasis_that_is_none_is_refused(emphasis: float) -> None:
    with pytest.raises(CodecError, match="emphasis"):
        fit(photographs(), config(), channels=12, emphasis=emphasis)


def test_mean_is_that_of_each_signal_channel() -> None:
    signals = photographs()
    codec = fit(signals, config(), channels=12)
    pixels = torch.cat([x.double().flatten(2)[0] for x in signals], 1) / 255
    torch.testing.assert_close(codec.mean.double(), pixels.mean(1), atol=1e-5, rtol=0)


def test_dequantised_latents_of_the_fitted_data_have_unit_variance() -> None:
    signals = photographs()
    codec = fit(signals, config(), channels=12)
    values = torch.cat([codec.dequantize(codec.encode(x)).flatten() for x in signals])
    torch.testing.assert_close(values.square().mean(), torch.tensor(1.0), atol=1e-4, rtol=0)


def test_signals_of_differing_sizes_and_dtypes() -> None:
    signals = [photograph("china.jpg")[None, :, :101, :77], photograph("chelsea.png")[None, :, :64, :9].double() / 255]
    codec = fit([*signals, signals[0][:0]], config(), channels=12)
    assert psnr(codec.decode(codec.encode(signals[0]), size=(101, 77)), signals[0] / 255) > 18


def test_audio_of_one_dimension() -> None:
    time = torch.arange(20000, dtype=torch.float64) / 16000
    tones = torch.stack([torch.sin(2 * torch.pi * f * time) * torch.exp(-3 * time) for f in (220, 330, 1760)])
    x = torch.stack([tones[:2].sum(0), tones[1:].sum(0)])[None] / 2.1
    made = config(kind="audio", signal_channels=2, dims=1, levels=5, wavelet="db4")
    codec = fit([x], made, channels=16)
    decoded = codec.decode(codec.encode(x), size=(20000,)).double()
    assert codec.encode(x).shape == (1, 16, 625)
    assert (decoded - x).square().mean() < 0.01 * x.square().mean()
    assert torch.equal(codec.mean, codec.mean.clamp(-0.01, 0.01))


def test_video_of_three_dimensions() -> None:
    picture = photograph("coffee.png")
    x = torch.stack([picture[:, 50 + t : 114 + t, 100 + 2 * t : 164 + 2 * t] for t in range(16)], 1)[None]
    codec = fit([x], config(dims=3, levels=2), channels=24)
    z = codec.encode(x)
    assert z.shape == (1, 24, 4, 16, 16)
    assert psnr(codec.decode(z), x / 255) > 24
    for axis in range(3):
        signs = (1 - 2 * codec.parity[:, axis].to(torch.int8)).reshape(-1, 1, 1, 1)
        assert torch.equal(
            codec.encode(x.double().flip(2 + axis) / 255), codec.encode(x.double() / 255).flip(2 + axis) * signs
        )


def test_seven_channels() -> None:
    bands = torch.cat([photograph(name)[:, :120, :136] for name in NAMES[:3]])[None, :7]
    codec = fit([bands], config(signal_channels=7), channels=64)
    assert codec.decode(codec.encode(bands)).shape == bands.shape
    assert psnr(codec.decode(codec.encode(bands)), bands / 255) > 22


def test_the_same_data_give_the_same_codec() -> None:
    codecs = [fit(photographs(), config(), channels=12) for _ in range(2)]
    assert codecs[0].fingerprint == codecs[1].fingerprint
    assert torch.equal(codecs[0].decoder, codecs[1].decoder)


def test_an_iterator_is_refused_and_a_reiterable_is_not() -> None:
    with pytest.raises(CodecError, match="more than once"):
        fit(iter(photographs()), config(), channels=12)
    with pytest.raises(CodecError, match="more than once"):
        fit((x for x in photographs()), config(), channels=12)

    class Photographs:
        def __iter__(self) -> Iterator[torch.Tensor]:
            return iter(photographs())

    assert (
        fit(Photographs(), config(), channels=12).fingerprint == fit(photographs(), config(), channels=12).fingerprint
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_constant_data_are_refused(value: float, dtype: torch.dtype) -> None:
    with pytest.raises(CodecError, match="constant"):
        fit([torch.full((2, 3, 64, 40), value, dtype=dtype)], config(), channels=12)


def test_one_faint_dot_is_not_constant() -> None:
    x = torch.full((4, 3, 64, 64), 128, dtype=torch.uint8)
    x[0, 0, 0, 0] = 129
    assert fit([x], config(), channels=12).channels == 12


@pytest.mark.parametrize("signals", [[], [torch.zeros(0, 3, 16, 16)]])
def test_no_data_are_refused(signals: list[torch.Tensor]) -> None:
    with pytest.raises(CodecError, match="no signals"):
        fit(signals, config(), channels=12)


@pytest.mark.parametrize("channels", [0, -1, 193])
def test_a_number_of_channels_that_cannot_be_is_refused(channels: int) -> None:
    with pytest.raises(CodecError, match="1 to 192"):
        fit(photographs(), config(), channels=channels)


@pytest.mark.parametrize(
    "options", [{"step": 0.0}, {"step": -1.0}, {"step": float("nan")}, {"knee": 0}, {"knee": -0.1}]
)
def test_a_step_or_knee_that_is_not_positive_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(CodecError, match="not a positive number"):
        fit(photographs(size=32), config(), channels=12, **options)


@pytest.mark.parametrize("batch", [[torch.zeros(1, 3, 8, 8), 0], torch.zeros(3, 8, 8), torch.full((1, 3, 8, 8), 9.0)])
def test_batches_that_are_no_signals_are_refused(batch: object) -> None:
    with pytest.raises(CodecError, match="codec 't' takes"):
        fit([batch], config(), channels=12)
