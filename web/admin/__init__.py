"""Administration: people, their roles, departments."""
