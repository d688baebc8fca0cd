"""The coder `rans`: context model, tables, and interleaved range asymmetric numeral systems."""

from walloc_data.entropy.rans.coder import RansCoder

__all__ = ["RansCoder"]
