"""Measurements of real work beside a real peer in the same run."""
