"""Roll-outs of firmware and data (D2): the signed repository, and who gets what when."""
