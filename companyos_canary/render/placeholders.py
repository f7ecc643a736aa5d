"""`${name}` in a parsed template: alone it becomes a value of any type, inside a text, text.

Nothing is pasted into YAML source, so no value can break out of its quotes.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from companyos_canary.errors import CanaryError

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")


def filled(template: Any, values: Mapping[str, Any], name: str) -> Any:
    """The template with every placeholder replaced. A field whose placeholder is None is left out.
    CanaryError names the template and the placeholder that there is no value for."""
    if isinstance(template, Mapping):
        entries = (
            (_filled_text(str(key), values, name), filled(value, values, name)) for key, value in template.items()
        )
        return {key: value for key, value in entries if value is not None}
    if isinstance(template, list):
        return [filled(item, values, name) for item in template]
    return _filled_text(template, values, name) if isinstance(template, str) else template


def _filled_text(text: str, values: Mapping[str, Any], name: str) -> Any:
    alone = _PLACEHOLDER.fullmatch(text)
    if alone:
        return _value(alone[1], values, name)
    return _PLACEHOLDER.sub(lambda found: str(_value(found[1], values, name)), text)


def _value(placeholder: str, values: Mapping[str, Any], name: str) -> Any:
    if placeholder in values:
        return values[placeholder]
    near = get_close_matches(placeholder, values, n=1)
    guess = f"; did you mean `${{{near[0]}}}`" if near else ""
    raise CanaryError(
        f"`{name}` has an unknown placeholder `${{{placeholder}}}`{guess}",
        hint="known: " + ", ".join(f"`{known}`" for known in sorted(values)),
    )
