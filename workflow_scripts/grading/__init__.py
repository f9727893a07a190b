"""From an answer text and a gold answer to a verdict with a reason."""
