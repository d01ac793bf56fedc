"""The directory a run works in."""
