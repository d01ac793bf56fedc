"""What is known of a run's tasks, as rows on the server and as pages."""
