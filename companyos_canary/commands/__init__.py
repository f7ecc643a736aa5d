"""One verb a file: parse the flags, run one action, show its outcome."""
