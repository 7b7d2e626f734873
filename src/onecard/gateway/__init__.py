"""The access gateway (G1, G2): proves who is at the line, decodes, batches, answers, pushes back. No business, no database."""
