"""The authorised list, terminals, their certificates and their sign-on (G2, D1)."""
