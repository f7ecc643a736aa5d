"""What an AnalysisRun does, as pure functions: its spec, when its metrics are due, what they ask,
and what comes of the answers. `expr` is the language of the conditions, `gotext` Go's numbers."""
