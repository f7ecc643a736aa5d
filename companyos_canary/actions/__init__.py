"""Use cases: deploy, change, observe, diagnose. No Typer, no rich, no HTTP."""
