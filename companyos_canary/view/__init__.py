"""Snapshot and now in, text out. Nothing here fetches."""
