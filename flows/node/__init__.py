"""What a node is: its name, its files."""
