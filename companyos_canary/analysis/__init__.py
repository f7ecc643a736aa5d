"""What an AnalysisRun does, as pure functions: its spec, when its metrics are due, what they
query, and the verdict. `expr` is the condition language, `gotext` formats numbers as Go does."""
