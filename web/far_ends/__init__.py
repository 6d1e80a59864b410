"""The simulated far ends of a demonstration, for a person to play."""
