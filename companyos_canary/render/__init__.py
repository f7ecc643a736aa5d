"""Settings and templates → objects, YAML, the starter file; and what an `apply` would change."""
