"""From generations and grades to points, metrics and paired tests."""
