"""Tests of the storage door."""
