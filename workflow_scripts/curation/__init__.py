"""From a pool of reasoning traces to a training set: quality, decontamination, difficulty, diversity."""
