"""How well the eye sees errors of each subband of an image."""

from torch import Tensor

from walloc_data.codec import CodecConfig
from walloc_data.codec.fit import subband_weights
from walloc_data.errors import TrainError

__all__ = ["contrast_sensitivity", "perceptual_weights"]

_PEAK = 7.8908  # cycles a degree, where the sensitivity is largest


def contrast_sensitivity(frequencies: Tensor) -> Tensor:
    """Of the eye for luminance, at most 0.98, at `frequencies` in cycles a degree of what it sees.

    Mannos and Sakrison, "The effects of a visual fidelity criterion on the encoding of images" (1974):
    2.6 (0.0192 + 0.114 f) exp(-(0.114 f)^1.1). Below the frequency at which it is largest it is kept there: coarse
    errors are in the range of the eye as soon as it is nearer, or looks at less of an image.
    """
    f = 0.114 * frequencies.clamp_min(_PEAK)
    return 2.6 * (0.0192 + f) * (-(f**1.1)).exp()


def perceptual_weights(config: CodecConfig, pixels_a_degree: float) -> Tensor:
    """Float64 `[packets]`: the sensitivity of the eye at the centre frequency of each subband, where a degree of what
    it sees has so many pixels. All channels are weighted as luminance is: of RGB, the errors of detail in colour alone,
    to which it is less sensitive, count like those in brightness.

    Raises `TrainError` for signals that are no images.
    """
    if config.kind != "image":
        raise TrainError(
            f"perceptual is for codecs of images, which the eye sees: of kind {config.kind!r}, leave it out"
        )
    frequencies = subband_weights(config, 1.0) / subband_weights(config, 0.0)  # 1 is half the sampling rate
    return contrast_sensitivity(frequencies * pixels_a_degree / 2)
