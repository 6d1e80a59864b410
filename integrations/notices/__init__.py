"""Alerts shown to a role."""
