"""Processes under guard: claude and the commands of the user."""
