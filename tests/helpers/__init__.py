"""What several test modules share: small models, steps, runs and commands."""
