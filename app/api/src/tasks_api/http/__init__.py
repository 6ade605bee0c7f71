"""What every request and response has, whichever view answers."""
