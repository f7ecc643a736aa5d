"""From canary.yaml and the templates to objects and YAML; pure."""
