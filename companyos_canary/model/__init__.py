"""Our values: what was read from the cluster, and what came of a verb. No I/O."""
