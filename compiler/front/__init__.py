"""From text to a checked document, for every kind of spec: positions, layers, diagnostics."""
