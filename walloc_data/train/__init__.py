"""Training codecs: encoder and decoder together, or a decoder alone."""

from walloc_data.train.options import TrainOptions
from walloc_data.train.run import train_codec
from walloc_data.train.training import TrainedCodec

__all__ = ["TrainOptions", "TrainedCodec", "train_codec"]
