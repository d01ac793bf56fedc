"""What the command line and all that comes beside it do with a Prefect server: no print, no Typer, no Prefect."""
