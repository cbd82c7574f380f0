"""Reads this machine: all that an agent needs."""
