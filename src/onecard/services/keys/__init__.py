"""Unified keys (K1–K4): the key tree behind one vault, the custodians' ceremony, SAMs, and the log of every use."""
