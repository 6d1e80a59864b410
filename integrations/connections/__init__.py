"""Connections to other systems: where they are, their secrets and their state."""
