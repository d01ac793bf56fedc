"""Bad things done to real runs."""
