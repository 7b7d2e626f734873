"""Dynamic payment codes (C4): issued, signed, limited, and used once."""
