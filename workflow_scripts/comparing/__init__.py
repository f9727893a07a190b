"""Two and more finished studies side by side, on the questions that they share."""
