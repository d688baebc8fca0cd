"""Datasets made of datasets, without their sources: what transcoding, merging and filtering have in common."""

from walloc_data.rewrite.changes import ChangeOptions, Changes
from walloc_data.rewrite.plan import Rewriting
from walloc_data.rewrite.run import Rewritten, rewrite

__all__ = ["ChangeOptions", "Changes", "Rewriting", "Rewritten", "rewrite"]
