"""The ISO 8583 driver, 银联 POS profile (protocol/iso8583)."""
