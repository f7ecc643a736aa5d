"""The ways in which `deploy` and `watch` show what they follow: one class each, all used alike."""
