"""A node: the warm worker, what it forks runs from, and what it looks after."""
