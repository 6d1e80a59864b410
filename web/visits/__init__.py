"""Visits: begin one, look into one, find one, help one that is stuck."""
