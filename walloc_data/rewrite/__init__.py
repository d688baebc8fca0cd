"""Datasets made of datasets, without their sources: what transcoding, merging and filtering have in common."""

from walloc_data.rewrite.plan import Changes, Rewriting
from walloc_data.rewrite.run import Rewritten, rewrite

__all__ = ["Changes", "Rewriting", "Rewritten", "rewrite"]
