"""Tests of `walloc_data.sources`."""
