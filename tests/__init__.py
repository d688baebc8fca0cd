"""Tests of walloc_data, laid out as the package is."""
