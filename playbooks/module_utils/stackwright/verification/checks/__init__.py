"""What is checked: each function takes the context of a verification and returns a Finding or raises CheckFailed."""
