"""Tests of `walloc_data.format`."""
