"""Keeping processes running: look over instances, mend what is stuck, change a course by hand, move to new versions."""
