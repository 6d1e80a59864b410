"""The inbox: a person's tasks, and the page on which one is done."""
