"""The Rollouts controller of the sandbox: canary strategy without traffic routing."""

from companyos_canary.sandbox.controller.rollouts import RolloutController, refusal

__all__ = ["RolloutController", "refusal"]
