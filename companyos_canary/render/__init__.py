"""canary.yaml and templates → objects, YAML and the starter file; and what an `apply` would change."""
