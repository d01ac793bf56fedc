"""What stands at the outer edge in place of the real thing, and data of others."""
