"""What three or more stages share."""
