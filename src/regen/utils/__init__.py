"""Files, locks, signals and random numbers; imports nothing else of regen but its errors."""
