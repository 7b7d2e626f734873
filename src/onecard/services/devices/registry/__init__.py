"""The registry of devices, their parameters, what they report, and alarms (D1)."""
