"""Tests of walloc_data.codec."""
