"""What training changed, read from the stored ids of natural generations."""
