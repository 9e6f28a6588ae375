"""Images, plots and their encodings."""
