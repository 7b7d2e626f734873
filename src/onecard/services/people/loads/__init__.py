"""Bulk loading of cardholders (C6): a file is read, checked and written set by set. `run.py` is the place to start reading."""
