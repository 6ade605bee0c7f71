"""Proving that a running environment keeps its promises, and cleaning up afterwards."""
