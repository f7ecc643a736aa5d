"""Our values: what was read from the cluster, and the outcome of a verb. No I/O."""
