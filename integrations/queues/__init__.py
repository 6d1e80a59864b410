"""Queue tickets and appointments."""
