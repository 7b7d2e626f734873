"""Simulated devices of every kind (D1), with the flows of the real ones: POS, access controller, attendance, kiosk, meter."""
