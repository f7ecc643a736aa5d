"""The sandbox's Kubernetes API, as a function from Request to Response."""
