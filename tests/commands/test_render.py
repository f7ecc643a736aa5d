"""`canary render`: the objects as YAML; no cluster is asked. Their content: tests/render."""

import pytest
import yaml

from companyos_canary.errors import ExitCode
from tests.commands.conftest import changing
from tests.world import World

KINDS = ["AnalysisTemplate", "Service", "Rollout"]


def test_yaml_is_the_result_and_nothing_else_is_on_stdout(empty: World) -> None:
    ran = empty.canary("render", "v1.0.0")
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    objects = list(yaml.safe_load_all(ran.out))
    assert [o["kind"] for o in objects] == KINDS
    container = objects[-1]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "companyos-api:v1.0.0"
    assert empty.requests == []


def test_the_forms_agree(empty: World) -> None:
    plain, as_yaml = empty.canary("render", "v1"), empty.canary("render", "v1", "-o", "yaml")
    assert plain == as_yaml
    objects = empty.canary("render", "v1", "-o", "json").json["data"]["objects"]
    assert objects == list(yaml.safe_load_all(plain.out))
    assert empty.canary("render", "-o", "name").out.splitlines() == [
        "analysistemplate/companyos-api-6s",
        "service/companyos-api",
        "rollout/companyos-api",
    ]


def test_an_environment_changes_what_it_says(empty: World) -> None:
    path = empty.folder / "canary.yaml"
    path.write_text(path.read_text() + "environments:\n  prod: {replicas: 20}\n")
    objects = empty.canary("render", "v1", "-e", "prod", "-o", "json").json["data"]["objects"]
    assert objects[-1]["spec"]["replicas"] == 20


def test_what_is_rendered_is_what_apply_installs(empty: World) -> None:
    rendered = empty.canary("render", "v1.0.0", "-o", "json").json["data"]["objects"][-1]
    empty.canary("apply", "v1.0.0")
    live = empty.rollout().raw["spec"]
    for key, value in rendered["spec"].items():
        if key != "template":
            assert live[key] == value


def test_no_file_is_usage(empty: World) -> None:
    (empty.folder / "canary.yaml").unlink()
    assert empty.canary("render").code == ExitCode.USAGE


def test_without_a_version_it_has_the_live_image(world: World) -> None:
    ran = world.canary("render")
    assert ran.code == ExitCode.OK, ran
    (rollout,) = (o for o in yaml.safe_load_all(ran.out) if o["kind"] == "Rollout")
    assert rollout["spec"]["template"]["spec"]["containers"][0]["image"] == "companyos-api:v1.0.0"


def test_without_a_version_and_a_live_rollout_it_is_refused(empty: World) -> None:
    ran = empty.canary("render")
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert "there is no Rollout `companyos-api` in `companyos` yet" in ran.err
    assert "hint: name a version: `canary render VERSION` asks no cluster" in ran.err
    empty.allowed = lambda _: False
    ran = empty.canary("render", "-o", "json")
    assert (ran.code, "it cannot be read: not permitted" in ran.out) == (ExitCode.USAGE, True), ran


@pytest.mark.parametrize("verb", [("render", "v1"), ("apply", "v1")], ids=lambda v: v[0])
def test_a_query_that_is_not_promql_is_refused_before_anything_is_sent(empty: World, verb: tuple[str, ...]) -> None:
    path = empty.folder / "canary.yaml"
    path.write_text(
        path.read_text() + "metrics:\n  queue: {below: 1, query: 'sum(rate(x{a=\"{{args.scope}}\"}[1m])'}\n"
    )
    ran = empty.canary(*verb)
    assert (ran.code, changing(empty)) == (ExitCode.USAGE, []), ran
    assert "canary.yaml: field `metrics.queue.query` is not PromQL: " in ran.err


@pytest.mark.parametrize("window", ["{{args.window}}", "5m"])
def test_arguments_stand_where_a_query_takes_them(empty: World, window: str) -> None:
    query = f"sum(rate(x{{canary='true',{{{{args.scope}}}}}}[{window}])) / {{{{args.min-requests}}}}"
    path = empty.folder / "canary.yaml"
    path.write_text(path.read_text() + f'metrics:\n  queue: {{below: 1, query: "{query}"}}\n')
    ran = empty.canary("render", "v1")
    assert (ran.code, query in ran.out) == (ExitCode.OK, True), ran
