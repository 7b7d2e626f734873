"""Tests of REST: the contract over every operation, and each part against a small city."""
