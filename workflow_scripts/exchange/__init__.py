"""Other harnesses' forms: their outputs in, ours out."""
