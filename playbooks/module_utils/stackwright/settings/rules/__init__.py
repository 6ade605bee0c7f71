"""Rules that one setting's schema cannot say."""
