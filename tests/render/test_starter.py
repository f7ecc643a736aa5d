"""The file `init` writes loads, says what it was reported, and its comments are the defaults."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from companyos_canary.config import load
from companyos_canary.errors import UsageError
from companyos_canary.render.objects import objects
from companyos_canary.render.starter import adopted, starter
from tests.render.samples import SETTINGS, settings

NAMES = {"rollout": "orders", "namespace": "shop", "image": "r.example.com:5000/shop/orders"}


def loaded(directory: Path, text: str) -> Any:
    path = directory / "canary.yaml"
    path.write_text(text)
    return load(path)


def test_the_starter_file_loads_and_says_what_it_was_told(tmp_path: Path) -> None:
    text = starter(NAMES)
    found = loaded(tmp_path, text)
    assert (found.rollout, found.namespace, found.image) == tuple(NAMES.values())
    assert (found.steps, found.metrics) == (SETTINGS.steps, SETTINGS.metrics)
    assert "companyos-api" not in text
    assert all(len(line) <= 100 for line in text.splitlines())


def uncommented(text: str) -> str:
    return re.sub(r"^#(?=[a-z]|  )", "", text, flags=re.M)


def test_what_is_commented_out_is_the_default(tmp_path: Path) -> None:
    defaults, _ = starter({}).split("# Fields of the pod")
    everything = uncommented(defaults)
    assert "\nmetrics:\n  error-rate:" in everything
    without_derived = re.sub(r"^  (window|max):.*\n", "", everything, flags=re.M)
    links = starter({})[starter({}).index("# Shown by `canary links`") :]
    assert loaded(tmp_path, without_derived + links) == loaded(tmp_path, starter({}))


def test_the_examples_load_too(tmp_path: Path) -> None:
    (tmp_path / "rollout-patch.yaml").write_text("kind: Rollout\nmetadata: {name: orders}\n")
    found = loaded(tmp_path, uncommented(starter(NAMES)))
    assert found.pod["containers"][0]["name"] == "orders"
    assert found.environments == ("prod",)
    assert found.merge[0].name == "orders"
    assert found.links["dashboard"] == "https://argorollouts.example.com/rollouts/shop/orders"


def test_fields_that_are_comments_become_fields(tmp_path: Path) -> None:
    values = {
        **NAMES,
        "container": "web",
        "app": "orders-app",
        "replicas": 3,
        "port": 9000,
        "steps": [{"weight": 5, "pause": "manual"}, {"weight": 50, "analysis": "90s"}],
    }
    found = loaded(tmp_path, starter(values))
    assert (found.container, found.app, found.replicas, found.port) == ("web", "orders-app", 3, 9000)
    assert [s.weight for s in found.steps] == [5, 50]


def test_a_field_without_a_line_and_a_bad_name_are_refused() -> None:
    with pytest.raises(UsageError, match="no field `colour`"):
        starter({"colour": "red"})
    with pytest.raises(UsageError) as error:
        starter({**NAMES, "rollout": "A\nb: c"})
    assert error.value.hint == "allowed: up to 63 small letters, digits and `-`, a letter first"


STEP = st.one_of(
    st.builds(lambda weight: {"setWeight": weight}, st.integers(0, 100)),
    st.sampled_from([{"pause": {}}, {"pause": {"duration": "90s"}}, {"pause": {"duration": 5}}]),
    st.sampled_from([{"analysis": {"templates": []}}, {"setCanaryScale": {"weight": 5}}]),
)


@hypothesis_settings(deadline=None)
@given(st.lists(STEP, max_size=8))
def test_whatever_steps_a_live_rollout_has_the_file_loads(steps: list[dict[str, Any]]) -> None:
    live = objects(SETTINGS, "v9")[-1]
    live["spec"]["strategy"]["canary"]["steps"] = steps
    with TemporaryDirectory() as directory:
        assert loaded(Path(directory), starter(adopted(live))).rollout == "companyos-api"


def test_a_live_rollout_is_adopted(tmp_path: Path) -> None:
    live = objects(settings(container="web", replicas=4, app="x", port=1234), "v9")[-1]
    live["spec"]["strategy"]["canary"]["steps"] = [
        {"setWeight": 20},
        {"pause": {"duration": "10m"}},
        {"setWeight": 40},
        {"analysis": {"templates": [{"templateName": "theirs"}]}},
        {"pause": {}},
        {"setWeight": 60},
    ]
    values = adopted(live)
    assert values == {
        "rollout": "companyos-api",
        "namespace": "companyos",
        "image": "companyos-api",
        "replicas": 4,
        "container": "web",
        "app": "x",
        "port": 1234,
        "steps": [{"weight": 20, "pause": "10m"}, {"weight": 40, "analysis": "2m", "pause": "manual"}],
    }
    assert loaded(tmp_path, starter(values)).replicas == 4
