"""What the action plugins share: the host and settings of an environment, and what a run remembers of it."""
