"""Taking a sampler away: files that load without regen, each held against the original, and a card that says what they are."""
