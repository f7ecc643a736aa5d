"""Every wrong canary.yaml is reported with file, line, field, what was found and what is allowed."""
# ruff: noqa: E501

from datetime import timedelta
from pathlib import Path

import pytest

from companyos_canary.config import MANUAL, Analysis, MetricSettings, Settings, StepSettings, load
from companyos_canary.errors import ConfigError

FOUR_LINES = """\
schema: canary/v1
rollout: companyos-api
namespace: companyos
image: companyos-api
"""


def loaded(directory: Path, more: str = "", environment: str | None = None) -> Settings:
    path = directory / "canary.yaml"
    path.write_text(FOUR_LINES + more)
    return load(path, environment, shown="canary.yaml")


def refusal(directory: Path, text: str) -> str:
    path = directory / "canary.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(path, shown="canary.yaml")
    assert error.value.exit_code == 2
    assert not error.value.message.endswith(".")
    return error.value.message


def test_four_lines_are_enough(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert settings.steps == (
        StepSettings(10, timedelta(minutes=2)),
        StepSettings(25, timedelta(minutes=2)),
        StepSettings(50, timedelta(minutes=3)),
    )
    assert settings.metrics == (
        MetricSettings("error-rate", "below", 0.05),
        MetricSettings("latency-p95", "below", 0.3),
        MetricSettings("latency-ratio", "below", 1.2),
        MetricSettings("error-ratio", "below", 1.5),
        MetricSettings("opa-success", "above", 0.99),
    )
    assert (settings.app, settings.container) == ("companyos-api", "companyos-api")
    assert settings.replicas == 10
    assert settings.window == timedelta(minutes=5)


def test_everything_that_is_said_arrives_typed(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """\
app: api
container: web
replicas: 20
port: 9000
progress_deadline: 90s
steps:
  - {weight: 5, pause: manual}
  - {weight: 20, pause: 5m}
  - {weight: 20, analysis: 90s, pause: 1h}
analysis: {window: 30s, min_requests: 7, no_data: fail, scope: 'job="a", pod=~"b.*",', by_hash: true}
prometheus: {url: "https://prom:9090/x", cli_url: "http://localhost:9090"}
metrics:
  latency-p95: {below: 250ms, no_data: pass}
  opa-success: null
  error-rate: {below: 2.5%, form: literal}
  queue: {above: -1, query: 'min(queue{job="{{args.scope}}"})'}
links: {slo: "https://g/{namespace}/{rollout}"}
""",
    )
    assert settings.steps == (
        StepSettings(5, pause=MANUAL),
        StepSettings(20, pause=timedelta(minutes=5)),
        StepSettings(20, timedelta(seconds=90), timedelta(hours=1)),
    )
    assert settings.analysis == Analysis(timedelta(seconds=30), 7, "fail", 'job="a", pod=~"b.*"', True)
    assert settings.metrics == (
        MetricSettings("error-rate", "below", 0.025, form="literal", no_data="fail"),
        MetricSettings("latency-p95", "below", 0.25, no_data="pass"),
        MetricSettings("latency-ratio", "below", 1.2, no_data="fail"),
        MetricSettings("error-ratio", "below", 1.5, no_data="fail"),
        MetricSettings("queue", "above", -1.0, 'min(queue{job="{{args.scope}}"})', no_data="fail"),
    )
    assert settings.links == {"slo": "https://g/companyos/companyos-api"}
    assert (settings.replicas, settings.port) == (20, 9000)
    assert settings.progress_deadline == timedelta(seconds=90)


NAME = "a name of up to 63 small letters, digits and `-`"
WEIGHT = "a whole number from 1 to 100, not less than the one before"


def test_replicas_without_a_value_are_left_to_an_autoscaler(tmp_path: Path) -> None:
    path = tmp_path / "canary.yaml"
    four = "schema: canary/v1\nrollout: a\nnamespace: a\nimage: a\n"
    path.write_text(four + "replicas: null\nport: null\n")
    settings = load(path)
    assert (settings.replicas, settings.port) == (None, 8080)


WRONG = {
    "environments: {prod: {contxt: x}}": ("5: field `environments.prod.contxt`: unknown; did you mean `context`"),
    "replica: 3": "5: field `replica`: unknown; did you mean `replicas`",
    "zebra: 3": "5: field `zebra`: unknown",
    "context: prod": "5: field `context`: unknown; did you mean `container`",
    "steps:\n- {weight: 0, analysis: 2m}": f"6: field `steps[0].weight`: found `0`, allowed: {WEIGHT}",
    "steps:\n- {weight: 101, pause: 2m}": f"6: field `steps[0].weight`: found `101`, allowed: {WEIGHT}",
    "steps:\n- {weight: ten, pause: 2m}": f"6: field `steps[0].weight`: found `ten`, allowed: {WEIGHT}",
    "steps:\n- weight: 25\n  analysis: 2m\n- weight: 10\n  analysis: 2m": (
        f"8: field `steps[1].weight`: found `10`, allowed: {WEIGHT}"
    ),
    "steps:\n- {weight: 10, analysis: 2 minutes}": (
        "6: field `steps[0].analysis`: found `2 minutes`, allowed: a duration of `4s` or more, such as `2m` or `90s`"
    ),
    "steps:\n- {weight: 10, analysis: 120}": (
        "6: field `steps[0].analysis`: found `120`, allowed: a duration of `4s` or more, such as `2m` or `90s`"
    ),
    **{
        f"analysis: {{warmup: {text}}}": (
            f"5: field `analysis.warmup`: found `{text}`, allowed: a duration of whole seconds up to `1h`, such as `1m`"
        )
        for text in ("1.5s", "-1s", "61m", "later")
    },
    "steps:\n- {weight: 10, analysis: 3s}": (
        "6: field `steps[0].analysis`: found `3s`, allowed: a duration of `4s` or more, such as `2m` or `90s`"
    ),
    "steps:\n- {weight: 10, pause: manuel}": (
        "6: field `steps[0].pause`: found `manuel`, allowed: a duration of whole seconds such as `5m`, or `manual`"
    ),
    "steps:\n- {weight: 10, pause: 0s}": (
        "6: field `steps[0].pause`: found `0s`, allowed: a duration of whole seconds such as `5m`, or `manual`"
    ),
    "steps:\n- {wieght: 10}": "6: field `steps[0].wieght`: unknown; did you mean `weight`",
    "steps:\n- {pause: 5m}": f"6: field `steps[0].weight`: missing, allowed: {WEIGHT}",
    "steps:\n- {weight: 10}": (
        "6: field `steps[0]`: found neither `analysis` nor `pause`, allowed: one or both, together with `weight`"
    ),
    "steps: []": (
        "5: field `steps`: found an empty list, "
        "allowed: a list of one or more steps such as `{weight: 10, analysis: 2m}`"
    ),
    "steps: {weight: 10}": (
        "5: field `steps`: found a mapping, allowed: a list of one or more steps such as `{weight: 10, analysis: 2m}`"
    ),
    "metrics: {error-rate: {below: 500%}}": (
        "5: field `metrics.error-rate.below`: found `500%`, allowed: a share up to 100%, such as 5%"
    ),
    "metrics: {latency-p95: {below: 300}}": (
        "5: field `metrics.latency-p95.below`: found `300`, "
        "allowed: up to 60s; a plain number is in seconds, so write 300ms"
    ),
    "port: 65536": "5: field `port`: found `65536`, allowed: a whole number from 1 to 65535",
    "replicas: -1": (
        "5: field `replicas`: found `-1`, allowed: a whole number from 0, or `null` where an autoscaler decides"
    ),
    'replicas: "3"': (
        "5: field `replicas`: found the text `3`, allowed: a whole number from 0, or `null` where an autoscaler decides"
    ),
    "port: '80'": "5: field `port`: found the text `80`, allowed: a whole number from 1 to 65535",
    "container: My_App": f"5: field `container`: found `My_App`, allowed: {NAME}",
    "progress_deadline: 1500ms": (
        "5: field `progress_deadline`: found `1500ms`, allowed: a duration of whole seconds, at least `1s`, such as `10m`"
    ),
    "abort_on: [crashlop]": (
        "5: field `abort_on[0]`: found `crashlop`, allowed: `crashloop`, `image-pull`, or `stuck=` with a duration"
    ),
    "abort_on: [crashloop, stuck=0s]": (
        "5: field `abort_on[1]`: found `stuck=0s`, allowed: `crashloop`, `image-pull`, or `stuck=` with a duration"
    ),
    "abort_on: crashloop": (
        "5: field `abort_on`: found `crashloop`, allowed: a list such as `[crashloop, image-pull, stuck=10m]`"
    ),
    "replicas: 010": "5: field `replicas`: found `010`, allowed: a number without a leading zero: YAML reads `010` as 8",
    "steps: [{weight: 010, analysis: 1m}]": (
        "5: field `steps[0].weight`: found `010`, allowed: a number without a leading zero: YAML reads `010` as 8"
    ),
    "metrics: {error-rate: {below: -5%}}": (
        "5: field `metrics.error-rate.below`: found `-5%`, allowed: a limit above 0: this metric is never below it"
    ),
    "metrics: {latency-ratio: {below: 0}}": (
        "5: field `metrics.latency-ratio.below`: found `0`, allowed: a limit above 0: this metric is never below it"
    ),
    "metrics: {opa-success: {above: 100%}}": (
        "5: field `metrics.opa-success.above`: found `100%`, allowed: a limit from 0 to less than 100%"
    ),
    'metrics: {"a\\nb": {below: 1, query: up}}': (
        "5: field `metrics.a\\nb`: found a character that cannot be seen, allowed: a name on one line"
    ),
    "analysis: {no_data: hodl}": ("5: field `analysis.no_data`: found `hodl`, allowed: `hold`, `pass` or `fail`"),
    "analysis: {min_requests: 0}": ("5: field `analysis.min_requests`: found `0`, allowed: a whole number from 1"),
    "analysis: {windw: 5m}": "5: field `analysis.windw`: unknown; did you mean `window`",
    "analysis:\n  scope: '} or vector(1'": (
        "6: field `analysis.scope`: found `} or vector(1`, "
        'allowed: label matchers such as `namespace="companyos"`, with commas between'
    ),
    "prometheus: {url: prometheus:9090}": (
        "5: field `prometheus.url`: found `prometheus:9090`, "
        "allowed: an address such as `http://prometheus.monitoring:9090`"
    ),
    "metrics:\n  error-rate: {below: low}": (
        "6: field `metrics.error-rate.below`: found `low`, allowed: a limit such as `0.05`, `5%` or `300ms`"
    ),
    "metrics:\n  error-rate: {below: .nan}": (
        "6: field `metrics.error-rate.below`: found `.nan`, allowed: a limit such as `0.05`, `5%` or `300ms`"
    ),
    "metrics:\n  error-rate: {above: 5%}": (
        "6: field `metrics.error-rate`: found `above`, allowed: `below`: `error-rate` is good below its limit"
    ),
    "metrics:\n  error-rate: {below: 1, above: 0}": (
        "6: field `metrics.error-rate`: found both `below` and `above`, allowed: one of them"
    ),
    "metrics:\n  queue: {below: 1}": (
        "6: field `metrics.queue`: found no `query`, allowed: a PromQL query that returns one "
        "number, since this is not one of the guide's metrics"
    ),
    "metrics:\n  queue: {query: up}": (
        "6: field `metrics.queue`: found neither `below` nor `above`, allowed: one of them"
    ),
    "metrics:\n  queue: {below: 1, query: up, form: literal}": (
        "6: field `metrics.queue.form`: found `literal`, allowed: no `form` together with a `query`"
    ),
    "metrics:\n  queue: {below: 1, query: 'up{a=\"{{args.x}}\"}'}": (
        '6: field `metrics.queue.query`: found `up{a="{{args.x}}"}`, allowed: between {{ }} one of '
        "`{{args.prometheus}}`, `{{args.window}}`, `{{args.min-requests}}`, "
        "`{{args.error-floor}}`, `{{args.canary-hash}}`, `{{args.scope}}`"
    ),
    "metrics:\n  queue: {below: 1, query: 'up{{{args.scope}}}'}": (
        "6: field `metrics.queue.query`: found `up{{{args.scope}}}`, allowed: between {{ }} one of "
        "`{{args.prometheus}}`, `{{args.window}}`, `{{args.min-requests}}`, "
        "`{{args.error-floor}}`, `{{args.canary-hash}}`, `{{args.scope}}`"
    ),
    "metrics:\n  '{{args.scope}}': {below: 1, query: up}": (
        "6: field `metrics.{{args.scope}}`: found an argument in the name, allowed: a name without `{{`"
    ),
    "metrics:\n  error-rate: 5%": (
        "6: field `metrics.error-rate`: found `5%`, allowed: a metric such as `{below: 5%}`, or `null` to leave it out"
    ),
    "metrics:\n  error-rate: {blow: 5%}": ("6: field `metrics.error-rate.blow`: unknown; did you mean `below`"),
    "metrics: {error-rate: null, latency-p95: null, latency-ratio: null, error-ratio: null, "
    "opa-success: null}": "5: field `metrics`: found no metric that is not `null`, allowed: at least one",
    "links:\n  slo: https://x/{name}": (
        "6: field `links.slo`: found `https://x/{name}`, "
        "allowed: an address; `{namespace}` and `{rollout}` are filled in"
    ),
    "links: [a]": "5: field `links`: found a list, allowed: a mapping of names to addresses",
    "merge: [no.yaml]": (
        "5: field `merge[0]`: found `no.yaml`, allowed: the path of a file, relative to this one; there is no such file"
    ),
    "pod: {containers: [{image: x}]}": (
        "5: field `pod`: found one without, allowed: a `name` for each of the `containers`"
    ),
    "pod: {containers: [{name: companyos-api, image: x}]}": (
        "5: field `pod`: found an `image`, allowed: none for `companyos-api`: it comes from `image` and the version"
    ),
    "pod: {metadata: {labels: {app: other}}}": ("5: field `pod`: found another label `app`, allowed: `companyos-api`"),
    "environments: [prod]": (
        "5: field `environments`: found a list, allowed: a mapping of names to the fields that differ there"
    ),
    "environments:\n  prod: 3": (
        "6: field `environments.prod`: found `3`, allowed: a mapping of the fields that differ there"
    ),
    "environments:\n  prod:\n    replicas: 3\n    prot: 1": "8: field `environments.prod.prot`: unknown; did you mean `port`",
    "environments:\n  prod:\n    steps:\n    - {weight: 200, pause: 1m}": (
        f"8: field `environments.prod.steps[0].weight`: found `200`, allowed: {WEIGHT}"
    ),
    "replicas: 3\nenvironments: {a: {replicas: 4}, b: {container: A}}": (
        f"6: field `environments.b.container`: found `A`, allowed: {NAME}"
    ),
    "environments:\n  prod:\n    replicas: 3\napp: A": (
        "8: field `app`: found `A`, allowed: the value of the label `app`, "
        "a name of up to 63 small letters, digits and `-`"
    ),
    "1: x": "5: field `1`: unknown",
    "metrics: {' ': {below: 1}}": "5: field `metrics. `: found a blank name, allowed: a name",
    "environments: {prod: {context: 3}}": (
        "5: field `environments.prod.context`: found `3`, allowed: the name of a context of the kubeconfig"
    ),
    "environments: {prod: {environments: {}}}": "5: field `environments.prod.environments`: unknown",
    "port: 1\nport: 2": "6: field `port`: found twice, first in line 5",
    "steps: [": "6: not plain YAML: did not find expected node content",
    "a: b: c": "5: not plain YAML: mapping values are not allowed in this context",
    "pod: &a {x: *a}": "5: not plain YAML: an alias refers to itself",
    "pod: !!python/name:os.system x": ("5: not plain YAML: the tag `tag:yaml.org,2002:python/name:os.system`"),
    "? [a]\n: b": "5: not plain YAML: a key that is a list or a mapping",
    "links: {a: \x07}": "5: not plain YAML: a character that YAML does not allow",
}


@pytest.mark.parametrize(("more", "message"), WRONG.items(), ids=range(len(WRONG)))
def test_a_wrong_field_is_told_with_its_line(tmp_path: Path, more: str, message: str) -> None:
    assert refusal(tmp_path, f"{FOUR_LINES}{more}\n") == f"canary.yaml:{message}"


WHOLE = {
    "": "canary.yaml:1: field `schema`: missing, allowed: `canary/v1`",
    "just text": ("canary.yaml:1: found `just text`, allowed: a mapping that starts with `schema: canary/v1`"),
    FOUR_LINES.replace("v1", "v2"): ("canary.yaml:1: field `schema`: found `canary/v2`, allowed: `canary/v1`"),
    FOUR_LINES.replace("image: companyos-api\n", ""): (
        "canary.yaml:1: field `image`: missing, "
        "allowed: an image without a tag such as `registry.example.com/companyos-api`"
    ),
    FOUR_LINES.replace("image: companyos-api", "image: companyos-api:v1"): (
        "canary.yaml:4: field `image`: found `companyos-api:v1`, "
        "allowed: an image without a tag such as `registry.example.com/companyos-api`"
    ),
    FOUR_LINES.replace("rollout: companyos-api", "rollout: 1.5"): (
        f"canary.yaml:2: field `rollout`: found `1.5`, allowed: {NAME} that starts with a letter"
    ),
}


@pytest.mark.parametrize(("text", "message"), WHOLE.items(), ids=range(len(WHOLE)))
def test_a_wrong_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


def test_an_unknown_field_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, "steps: [{weight: 1, puase: 5m}]")
    assert error.value.hint == "allowed: `analysis`, `pause`, `pods`, `weight`"


def test_a_file_that_grows_by_its_aliases_is_refused(tmp_path: Path) -> None:
    lines = ["pod:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(ConfigError, match="more than 20000 values"):
        loaded(tmp_path, "\n".join(lines))


def test_a_missing_or_unreadable_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "canary.yaml", shown="canary.yaml")
    (tmp_path / "canary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load(tmp_path / "canary.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


ENVIRONMENTS = """\
replicas: 10
pod: {containers: [{name: companyos-api, env: [{name: A, value: "1"}, {name: B, value: "2"}]}]}
metrics: {latency-p95: {below: 200ms}}
environments:
  prod:
    context: prod-eu
    replicas: 20
    metrics: {latency-p95: null, error-rate: {below: 1%}}
    pod: {containers: [{name: companyos-api, env: [{name: B, value: "3"}]}]}
  staging: {namespace: staging}
  empty:
"""


def test_an_environment_is_laid_over_the_file(tmp_path: Path) -> None:
    prod = loaded(tmp_path, ENVIRONMENTS, "prod")
    assert (prod.context, prod.replicas, prod.environment) == ("prod-eu", 20, "prod")
    assert [m.name for m in prod.metrics] == ["error-rate", "latency-ratio", "error-ratio", "opa-success"]
    assert prod.metrics[0].limit == 0.01
    assert prod.pod["containers"] == [
        {"name": "companyos-api", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}]}
    ]
    assert prod.from_environment == {"context", "replicas", "metrics", "pod"}
    assert loaded(tmp_path, ENVIRONMENTS, "staging").namespace == "staging"
    base = loaded(tmp_path, ENVIRONMENTS)
    assert (base.context, base.replicas, base.environment) == (None, 10, None)
    assert base.environments == ("prod", "staging", "empty")
    assert loaded(tmp_path, ENVIRONMENTS, "empty").replicas == 10


def test_an_unknown_environment_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, ENVIRONMENTS, "prd")
    assert error.value.message == ("canary.yaml:8: field `environments`: no environment `prd`; did you mean `prod`")
    assert error.value.hint == "known: `prod`, `staging`, `empty`"
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, "", "prod")
    assert error.value.hint == "this file has no environments"


def test_merge_files_are_read_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "patch.yaml").write_text("kind: Rollout\nmetadata: {name: companyos-api}\nspec: {minReadySeconds: 5}\n")
    (patch,) = loaded(tmp_path, "merge: [patch.yaml]").merge
    assert (patch.path, patch.kind, patch.name) == ("patch.yaml", "Rollout", "companyos-api")
    assert patch.patch["spec"] == {"minReadySeconds": 5}
    (tmp_path / "patch.yaml").write_text("metadata: {name: companyos-api}\n")
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, "merge: [patch.yaml]")
    assert error.value.message == (
        "patch.yaml:1: field `kind`: missing, allowed: the kind of the object to change, such as `Rollout`"
    )


def test_dates_and_merge_keys_are_what_kubernetes_would_read(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "pod:\n  volumes: &v {a: 1}\n  more: {<<: *v, b: 2}\n  day: 2026-01-02\n")
    assert settings.pod == {"volumes": {"a": 1}, "more": {"a": 1, "b": 2}, "day": "2026-01-02"}
