"""From tables to plots, the report and the sample viewer."""
