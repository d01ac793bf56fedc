"""A run: its tasks in their order, their attempts, and how it waits."""
