"""Record: what happened, and the figures computed from it."""
