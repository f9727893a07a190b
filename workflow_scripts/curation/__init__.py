"""From a pool of reasoning traces to a training set: quality, difficulty, diversity."""
