"""Redesign: fit, simulate and compare processes."""
