"""Settlement: day cut, clearing, fees, netting, sheets, and the proof that the books balance (S1-S3)."""
