"""The virtual purse SAM (PSAM): derives card keys from the platform's keys inside and counts a terminal's transactions."""
