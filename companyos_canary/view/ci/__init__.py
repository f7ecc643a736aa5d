"""What a CI system gets: folded logs, annotations, outputs, a summary. Pure text."""
