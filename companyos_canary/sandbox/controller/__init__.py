"""The Rollouts controller of the sandbox: canary with and without traffic routing, and blue-green."""
