"""Stackwright: rendering, planning, verifying and operating environments."""
