"""Custody of keys (K2): components and shares, the ceremony, requests that two people decide, and the staff's permissions."""
