"""What runs on this machine: the embedded server and node, Prefect's profile file."""
