"""What claude-code-scheduler left: its files, taken over."""
