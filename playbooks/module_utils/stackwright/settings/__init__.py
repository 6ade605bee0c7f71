"""Settings: their schema, where they come from, what they may be."""
