"""Whatever is in a canary.yaml, it loads or is refused in a sentence with file and line."""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from companyos_canary.config import config_schema, load
from companyos_canary.config.checks import GUIDE
from companyos_canary.config.document import ALLOWED
from companyos_canary.errors import ConfigError
from companyos_canary.render.objects import objects
from companyos_canary.render.templates import to_yaml

FOUR: dict[str, Any] = {
    "schema": "canary/v1",
    "rollout": "companyos-api",
    "namespace": "companyos",
    "image": "companyos-api",
}
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
PLAIN = TEXT.filter(lambda text: text.strip() and "{{" not in text)
FIELDS = sorted({name for key in ALLOWED for name in re.findall(r"\w+", key)} | {"error-rate"})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.sampled_from(["2m", "manual", "5%", "1.5s", "hold", "literal", "auto", "{{args.x}}"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | TEXT, inner, max_size=3),
    max_leaves=10,
)


def refusal(source: bytes) -> str | None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "canary.yaml"
        path.write_bytes(source)
        try:
            objects(load(path, shown="canary.yaml"), "v1")
        except ConfigError as error:
            return error.message
    return None


def loads_or_is_refused(source: bytes) -> None:
    message = refusal(source)
    if message is not None:
        assert re.match(r"canary\.yaml:(\d+:)? ?\S", message)
        assert message.isprintable()
        assert not message.endswith(".")


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*config_schema()["$defs"]["Document"]["properties"]]), VALUES))
def test_any_values_load_or_are_refused(fields: dict[str, Any]) -> None:
    loads_or_is_refused(yaml.dump({**FOUR, **fields}, allow_unicode=True, Dumper=yaml.CSafeDumper).encode())


@settings(deadline=None)
@example(": 1", True)
@example('"a\\nb": 1', True)
@example('"a`b": 1', True)
@example('metrics: {"a\\nb": {"c\\u2028": 1}}', True)
@example('port: "\\e[31m"', True)
@example('environments: {"\\a": 1}', True)
@given(TEXT | st.text(st.sampled_from("a:-{}[]&*!|>'\"%@`# \n\t?,<="), max_size=30), st.booleans())
def test_any_text_loads_or_is_refused(text: str, after: bool) -> None:
    start = yaml.dump(FOUR, sort_keys=False, Dumper=yaml.CSafeDumper) if after else ""
    loads_or_is_refused((start + text).encode())


@settings(deadline=None)
@given(st.binary(max_size=30))
def test_any_bytes_load_or_are_refused(data: bytes) -> None:
    loads_or_is_refused(data)


@settings(deadline=None)
@given(PLAIN.map(lambda text: "".join(filter(str.isprintable, text)).strip() or "x"), PLAIN)
def test_a_metric_keeps_its_name_and_query_from_file_to_cluster(name: str, text: str) -> None:
    assume("{{" not in name)
    query = f"up{{job={json.dumps(text, ensure_ascii=False)}}}"
    metrics = {**dict.fromkeys(GUIDE), name: {"below": "5%", "query": query}}
    with TemporaryDirectory() as directory:
        path = Path(directory) / "canary.yaml"
        path.write_text(to_yaml([{**FOUR, "metrics": metrics}]), encoding="utf-8", newline="")
        rendered = to_yaml(objects(load(path), "v1"))
    for template in list(yaml.load_all(rendered, yaml.CSafeLoader))[:-2]:
        (metric,) = [m for m in template["spec"]["metrics"] if m["name"] == name]
        assert metric["provider"]["prometheus"]["query"] == query
