"""What can be known about manifests before a release, without a cluster.

`documents` reads YAML with its lines, `objects` finds what refers to what, a rule is a pure function
over one of them (`rules`), and `check` runs them all and leaves out what a comment ignores.
"""
