"""Files, locks, signals and random numbers; imports only regen.errors."""
