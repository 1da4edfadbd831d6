"""Reports: what scores and measurements are made into."""
