"""From a model and questions to generations: chains, budgets, engines."""
