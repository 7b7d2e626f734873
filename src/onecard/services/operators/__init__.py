"""Operators, units, merchants, card types and meal periods, and the limits over them (O1-O4, P1, P2)."""
