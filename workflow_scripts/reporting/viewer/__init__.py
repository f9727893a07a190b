"""The sample viewer: one HTML page that holds every generation of a study."""
