"""HTML pages of a run, of a comparison and of a cross-validation."""
