"""The demo world: generated questions, pool and benchmarks, and a small base model."""
