"""The sandbox's Kubernetes API, as a function from Request to Response."""

from companyos_canary.sandbox.api.access import Attributes, Policy
from companyos_canary.sandbox.api.api import Api

__all__ = ["Api", "Attributes", "Policy"]
