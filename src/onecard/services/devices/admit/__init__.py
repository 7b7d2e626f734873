"""Admission (G2, O4): the authority behind the vault, one-time codes, rolling and revoking, who was refused, leases."""
