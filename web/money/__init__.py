"""Money: the daily reconciliation, its differences and its signature."""
