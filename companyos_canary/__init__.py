"""`canary`: ship a version with Argo Rollouts, watch its metrics, know why it stopped."""

__version__ = "0.1.0"
