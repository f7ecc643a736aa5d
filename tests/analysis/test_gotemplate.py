"""Templates of messages, as text/template renders them. The expected texts follow Go's documentation."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.analysis.gotemplate import render
from companyos_canary.analysis.gotemplate_functions import FUNCTIONS
from companyos_canary.analysis.gotemplate_printf import TemplateFault
from companyos_canary.analysis.gotemplate_time import Moment, moment_of

CONTAINERS = [{"name": "web", "image": "web:v2"}, {"name": "proxy", "image": "proxy:1"}]
DATA: dict[str, Any] = {
    "rollout": {
        "metadata": {"name": "web", "labels": {"app": "web", "a/b": "c"}},
        "spec": {"replicas": 3, "strategy": {"canary": {"steps": []}}, "containers": CONTAINERS},
        "status": {"abort": True, "message": 'said "no"', "none": None},
    },
    "time": {"Now": lambda: Moment(datetime(2026, 3, 2, 12, tzinfo=UTC))},
}
STRATEGY = (
    "{{if .rollout.spec.strategy.blueGreen}}BlueGreen{{else if .rollout.spec.strategy.canary}}Canary{{else}}-{{end}}"
)
LISTED = "{{range $i, $c := .rollout.spec.containers}}{{if $i}}, {{end}}{{$c.name}}={{$c.image}}{{end}}"


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("plain } text", "plain } text"),
        ("{{.rollout.metadata.name}} waits", "web waits"),
        (STRATEGY, "Canary"),
        (LISTED, "web=web:v2, proxy=proxy:1"),
        ("{{range .rollout.spec.containers}}{{.name}} {{$.rollout.metadata.name}};{{end}}", "web web;proxy web;"),
        ("{{range $k, $v := .rollout.metadata.labels}}{{$k}}:{{$v}} {{end}}", "a/b:c app:web "),
        ("{{range .nothing}}x{{else}}none{{end}}", "none"),
        ("{{with .rollout.status}}{{.message}}{{end}}", 'said "no"'),
        ("{{with .nothing}}x{{else}}no{{end}}", "no"),
        ("a  {{- 1 -}}  b", "a1b"),
        ("{{/* nothing */}}x", "x"),
        ("{{ $n := .rollout.spec.replicas }}{{ $n = add $n 1 }}{{ $n }}", "4"),
        ("{{ .nothing }} {{ .rollout.x.y.z }} {{ if .rollout.x.y }}x{{ end }}", "<no value> <no value> "),
        ("{{ .rollout.status.abort }} {{ .rollout.spec.strategy }}", "true map[canary:map[steps:[]]]"),
        ("{{ index .rollout.metadata.labels `a/b` }}{{ (index .rollout.spec.containers 1).name }}", "cproxy"),
        ('{{ .rollout.metadata.name | upper | printf "%s-%d" }}', "WEB-%!d(MISSING)"),
        ('{{ printf "%05.1f%% %q %v" 2.25 "x" .rollout.spec.replicas }}', '002.2% "x" 3'),
        ("{{ eq .rollout.metadata.name `a` `web` }} {{ and 1 0 }} {{ or 0 `x` }} {{ not nil }}", "true 0 x true"),
        ('{{ .nothing | default "d" }} {{ ternary "y" "n" .rollout.status.abort }}', "d y"),
        (
            "{{ toJson .rollout.metadata.labels }} {{ quote .rollout.status.message }}",
            '{"a/b":"c","app":"web"} "said \\"no\\""',
        ),
        ("{{ (call .time.Now).Unix }}", "1772452800"),
        (
            '{{ regexReplaceAll "(.*):.*" "web:v2" "${1}" }} {{ trunc 3 "abcdef" }} {{ join "," (list 1 2) }}',
            "web abc 1,2",
        ),
        ("{{ if and (eq 1 1) (ne `a` `b`) }}yes{{ end }}", "yes"),
    ],
)
def test_it_is_what_go_makes_of_it(text: str, rendered: str) -> None:
    assert render(text, DATA) == rendered


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{", "not closed"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{if 1}}", "has no {{end}}"),
        ("{{ .a 1 }}", "can't give an argument"),
        ("{{ $x }}", "undefined variable"),
        ("{{ nothing }}", "the function `nothing` is not supported here"),
        ('{{ template "x" }}', 'template "x" not defined'),
        ('{{define "x"}}{{template "x"}}{{end}}{{template "x"}}', "takes too long"),
        ("{{ $d := dict }}{{ $d = set $d `a` $d }}{{ $d }}", "takes too long"),
        ("{{ genPrivateKey `rsa` }}", "the function `genPrivateKey` is not supported here"),
        ("{{ eq 1 `a` }}", "incompatible types"),
        ("{{ .rollout.status.none.x }}", "nil pointer"),
        ("{{ .rollout.metadata.name.x }}", "can't evaluate field x"),
        ("{{ index .rollout.spec.containers 9 }}", "out of range"),
        ("{{ upper 1 }}", "error calling upper"),
        ("{{ repeat 99999999 `x` }}", "too long"),
        ("{{ range 99999999 }}x{{ end }}", "takes too long"),
        ("{{ $x := `12345678` }}{{ range 40 }}{{ $x = print $x $x }}{{ end }}", "too long"),
        ("{{ (1 }}", "parenthesis is not closed"),
        ("{{ }}", "no value"),
        ("{{ ~ }}", "unexpected `~`"),
    ],
)
def test_what_cannot_be_rendered_is_said(text: str, said: str) -> None:
    with pytest.raises(TemplateFault) as raised:
        render(text, DATA)
    assert said in str(raised.value)


RECORDED = yaml.load((Path(__file__).parent / "gotemplate.yaml").read_text(), yaml.CSafeLoader)


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda c: c["text"][:60])
def test_a_message_is_what_the_real_plugin_makes_of_it(case: dict[str, Any]) -> None:
    data = {
        "rollout": RECORDED["rollout"],
        "secrets": {name: value.encode() for name, value in RECORDED["secrets"].items()},
        "time": {"Now": lambda: Moment(datetime(2026, 11, 30, tzinfo=UTC)), "Parse": _parsed},
        "serviceType": "console",
        "recipient": "stdout",
    }
    if case["is"] is None:
        with pytest.raises(TemplateFault):
            render(case["text"], data)
    else:
        assert render(case["text"], data).rstrip("\n") == case["is"].rstrip("\n")


def _parsed(text: str) -> Moment:
    found = moment_of(text)
    if found is None:
        raise TemplateFault("not a time")
    return found


_WORDS = [
    "{{",
    "}}",
    "{{-",
    "-}}",
    ".",
    "$",
    "$x",
    ":=",
    "|",
    "(",
    ")",
    '"a"',
    "`",
    "/*",
    "*/",
    " ",
    "1",
    "0x",
    "1e9",
    "-",
]
_WORDS += ["if", "range", "with", "else", "end", "define", "template", "block", "break", "continue", "nil", ".rollout"]
_WORDS += sorted(FUNCTIONS)


@given(st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join))
def test_any_words_are_rendered_or_refused(text: str) -> None:
    with contextlib.suppress(TemplateFault):
        assert isinstance(render(text, DATA), str)


_ARGUMENTS = ["1", "-1", "0", "1.5", '""', '"a"', "nil", "(list 1)", "(dict `a` 1)", ".rollout", "true"]


@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(st.sampled_from(_ARGUMENTS), max_size=4))
def test_any_function_takes_any_arguments_or_refuses_them(name: str, arguments: list[str]) -> None:
    with contextlib.suppress(TemplateFault):
        assert isinstance(render(f"{{{{ {name} {' '.join(arguments)} }}}}", DATA), str)


@given(st.text(st.sampled_from('{}.-ifrangewthels$|():= "`ab1'), max_size=60))
def test_any_text_is_rendered_or_refused(text: str) -> None:
    with contextlib.suppress(TemplateFault):
        assert isinstance(render(text, DATA), str)
