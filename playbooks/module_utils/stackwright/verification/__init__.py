"""Checking that a running environment does what it should, and cleaning up afterwards."""
