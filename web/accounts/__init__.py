"""People: sign-in, sign-out, profile, language."""
