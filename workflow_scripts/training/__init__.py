"""From a training set to a fine-tuned model: rendering, packing, DeepSpeed."""
