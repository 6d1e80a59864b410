"""Insight: figures of the clinic's visits, as-is beside to-be."""
