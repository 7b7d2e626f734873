"""Chip cards of the demonstration city: its keys, SAMs and blanks, the station that makes cards, and their holders."""
