"""Alerts: what processes want a role to see now."""
