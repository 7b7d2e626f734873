"""Virtual cards: a CPU card with the purse application, its SIM form, and a card that has a UID only."""
