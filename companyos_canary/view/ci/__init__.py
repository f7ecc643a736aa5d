"""What a CI system is told: folded logs, annotations, outputs, a summary. Pure text."""
