"""From a failure to its cause, evidence and fix."""
