"""The small console of a unit's workstation (W2, G1): its own lines, devices, leases and versions."""
