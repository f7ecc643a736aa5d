"""Settings and templates → objects, YAML, the starter file; and what an `apply` would change."""

from companyos_canary.render.difference import FieldChange, changes, keep_live_image
from companyos_canary.render.objects import objects
from companyos_canary.render.starter import adopted, starter
from companyos_canary.render.steps import settings_duration
from companyos_canary.render.templates import template_dir, to_yaml

__all__ = [
    "FieldChange",
    "adopted",
    "changes",
    "keep_live_image",
    "objects",
    "settings_duration",
    "starter",
    "template_dir",
    "to_yaml",
]
