"""How deep values may be inside one another in a YAML text."""

import yaml
from yaml.events import MappingEndEvent, MappingStartEvent, SequenceEndEvent, SequenceStartEvent

DEEPEST = 100


def too_deep(text: str) -> int:
    """The line at which YAML has more values inside one another than any file of people; 0 where it
    has not. Read event by event: what makes values of it calls itself for each level."""
    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            depth += 1
            if depth > DEEPEST:
                return text.count("\n", 0, event.start_mark.index) + 1 if event.start_mark else 1
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            depth -= 1
    return 0
