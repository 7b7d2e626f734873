"""The main job on real input: a file of a real day's taps, sent through every tier and compared with known totals."""
