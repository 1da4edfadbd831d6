"""Models: specifications, weight files and encoders."""
