"""Tests of walloc_data.entropy."""
