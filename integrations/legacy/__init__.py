"""A department's historical and open cases moved from an old system, in batches that can be stopped, checked and taken back."""
