"""Run: the only package that imports SpiffWorkflow."""
