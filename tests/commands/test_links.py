"""`canary links`: addresses out of canary.yaml; no cluster is asked."""

from companyos_canary.errors import ExitCode
from tests.world import CONFIG, Ran, World

URL = "https://argo.example.com/companyos/companyos-api"


def test_each_link_is_a_line(empty: World) -> None:
    more = CONFIG + "  slo: https://slo.example.com/{rollout}\n"
    (empty.folder / "canary.yaml").write_text(more)
    said = f"dashboard  {URL}\nslo        https://slo.example.com/companyos-api\n"
    assert empty.canary("links") == Ran(0, said, "")
    assert empty.requests == []


def test_json(empty: World) -> None:
    assert empty.canary("links", "-o", "json").json["data"] == {"rollout": "companyos-api", "links": {"dashboard": URL}}


def test_a_file_without_links_says_what_to_add(empty: World) -> None:
    (empty.folder / "canary.yaml").write_text(CONFIG.partition("links:")[0])
    ran = empty.canary("links")
    assert ran == Ran(
        2, "", "error: `canary.yaml` names no links\nhint: add `links:` with dashboard, slo and runbook\n"
    )


def test_no_file_names_the_command_that_writes_one(empty: World) -> None:
    (empty.folder / "canary.yaml").unlink()
    ran = empty.canary("links")
    assert ran.code == ExitCode.USAGE
    assert "canary init" in ran.err
