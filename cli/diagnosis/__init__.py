"""Why something does not run, and what to do."""
