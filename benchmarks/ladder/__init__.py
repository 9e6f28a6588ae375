"""The ladder: sets of images of which the truth is known, and what the diagnosis says of each."""
