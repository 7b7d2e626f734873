"""Personalisation (C2): one card or a batch through a reader, every write journalled so that any interruption is taken up."""
