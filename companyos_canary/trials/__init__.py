"""Releases that are played: traffic is drawn, and what judges a real one judges it."""
