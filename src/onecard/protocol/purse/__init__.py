"""The purse application of CPU cards (PBOC, CJ/T 166, JT/T 978): key diversification, MAC1, MAC2, TAC, secure messaging."""
