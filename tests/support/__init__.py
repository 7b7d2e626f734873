"""What tests of several areas share, beside the fixtures of `conftest.py`."""
