"""The demonstration clinic: what it starts with, and the two weeks that lie behind it."""
