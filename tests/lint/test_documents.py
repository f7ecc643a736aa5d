"""YAML as Kubernetes reads it: values, lines, and what is refused before it costs anything."""

import contextlib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.lint.documents import Unreadable, YamlDocument, read
from companyos_canary.lint.finding import below, dotted


def documents(text: str | bytes) -> tuple[YamlDocument, ...]:
    return read("x.yaml", text if isinstance(text, bytes) else text.encode())


def values(text: str | bytes) -> list[Any]:
    return [d.root.data for d in documents(text)]


def refusal(text: str | bytes) -> tuple[int, str]:
    with pytest.raises(Unreadable) as found:
        documents(text)
    return found.value.line, found.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("-7", -7),
        ("0x1f", 31),
        ("0o17", 15),
        ("017", 15),
        ("1_000", 1000),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("yes", True),
        ("y", True),
        ("N", False),
        ("'yes'", "yes"),
        ("Off", False),
        ("~", None),
        ("", None),
        ("5m", "5m"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("v1.2.3", "v1.2.3"),
        ("1.2.3", "1.2.3"),
        ("!Ref x", "x"),
    ],
)
def test_a_value_is_what_kubernetes_makes_of_it(text: str, value: object) -> None:
    (found,) = values(f"k: {text}")
    assert found == {"k": value}
    assert type(found["k"]) is type(value)


_ANY = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=8)
_TEXTS = _ANY.filter(lambda text: text not in list("yYnN"))  # flags, which PyYAML writes without quotes
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(_VALUES.filter(lambda v: v is not None), max_size=3))
def test_what_was_dumped_is_read(written: list[Any]) -> None:
    assert values(yaml.dump_all(written, allow_unicode=True, explicit_start=True, Dumper=yaml.CSafeDumper)) == written


def test_documents_without_content_are_left_out() -> None:
    assert values("---\n# nothing\n---\na: 1\n---\n---\n...\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]
    assert values("") == values("# nothing") == values("---\n---") == []


def test_every_field_has_its_line() -> None:
    text = "# first\na:\n  b:\n  - c: 1\n    d: [1, {e: 2}]\n  - x\nf: |\n  text\n  more\ng: 1\n"
    (document,) = documents(text)
    paths = [("a",), ("a", "b"), ("a", "b", 0), ("a", "b", 0, "d"), ("a", "b", 0, "d", 1, "e"), ("a", "b", 1), ("f",)]
    assert [document.line(path) for path in paths] == [2, 3, 4, 5, 5, 6, 7]
    assert document.line(("g",)) == 10
    assert document.line(("a", "nowhere", "else")) == 2, "the deepest that exists"


def test_line_ends_and_byte_order_marks_change_nothing() -> None:
    text = "a: 1\nb:\n- x\n"
    for other in (text.replace("\n", "\r\n"), text.replace("\n", "\r"), f"\ufeff{text}"):
        (document,) = documents(other)
        assert (document.root.data, document.line(("b",))) == ({"a": 1, "b": ["x"]}, 2)
    assert values(text.encode("utf-16")) == values(text)


def test_anchors_aliases_and_merge_keys_are_followed() -> None:
    (found,) = values("base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: {<<: [{z: 9}, *b]}\nthree: *b\n")
    assert found["one"] == {"x": 1, "y": 3}
    assert found["two"] == {"x": 1, "y": 2, "z": 9}
    assert found["three"] == found["base"]


def test_names_are_texts() -> None:
    assert values("1: a\ntrue: b\nnull: c\n") == [{"1": "a", "true": "b", "null": "c"}]


def test_a_key_that_is_there_twice_is_told_with_both_lines() -> None:
    (document,) = documents("a:\n  b: 1\n  c: 2\n  b: 3\n")
    assert document.root.data == {"a": {"b": 3, "c": 2}}
    assert document.twice == ((("a", "b"), 4, 2),)


def test_aliases_that_multiply_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    line, message = refusal("\n".join(lines))
    assert message == "more than 1000000 values"
    assert line < 10


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000 + "a", "{a: " * 50_000])
def test_nesting_without_an_end_is_refused(text: str) -> None:
    assert refusal(text) == (1, "more than 200 values inside one another")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: c: d\n", 2, "the file is not valid YAML: mapping values are not allowed in this context"),
        ("a: &x\n  b: *x\n", 2, "the alias `*x` refers to itself"),
        ("a: 1\nb: *y\n", 2, "the alias `*y` has no anchor"),
        ("a: 1\n? [b]\n: c\n", 2, "a key that is a list or a mapping"),
        (b"a: 1\nb: \xc3\x28\n", 2, "the file is not text in UTF-8"),
        (b"a: 1\n\x00\x00", 2, "the file is binary"),
        (b"\x7fELF\x02\x01", 1, "a character that YAML does not allow"),
        (b"a" * (16 * 1024 * 1024 + 1), 1, "the file is larger than 16 MiB"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str | bytes, line: int, message: str) -> None:
    assert refusal(text) == (line, message)


def test_the_template_of_a_chart_is_known_by_its_braces() -> None:
    with pytest.raises(Unreadable) as found:
        documents("a:\n{{- if .Values.x }}\n  b: {{ .Values.y }}\n{{- end }}\n")
    assert "helm template" in found.value.hint


def test_an_argument_without_quotes_is_told_to_have_them() -> None:
    with pytest.raises(Unreadable) as found:
        documents("a: 1\nb: {{args.x}}\n")
    assert (found.value.line, found.value.hint) == (2, "put a value that starts with `{{args.…}}` in quotes")


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert all(document.root.line >= 1 for document in read("x", content))


def test_a_path_is_written_as_people_write_it() -> None:
    assert dotted(("spec", "steps", 0, "setWeight")) == "spec.steps[0].setWeight"
    assert dotted(("metadata", "labels", "app.kubernetes.io/name")) == 'metadata.labels["app.kubernetes.io/name"]'
    assert below({"a": [{"b": 1}]}, "a", 0, "b") == 1
    assert below({"a": [{"b": 1}]}, "a", 1, "b") is None
