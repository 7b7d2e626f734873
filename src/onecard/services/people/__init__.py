"""Cardholders, by real name or anonymous, and the cap an operator has on them (O2)."""
