"""`canary links LINK` and `--open`. The browser is the operating system's: a stand-in is called."""

import webbrowser

import pytest

from companyos_canary.errors import ExitCode
from tests.world import CONFIG, Ran, World

URL = "https://argo.example.com/companyos/companyos-api"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    urls: list[str] = []

    def browse(url: str) -> bool:
        urls.append(url)
        return "broken" not in url

    monkeypatch.setattr(webbrowser, "open", browse)
    return urls


def test_one_link_is_just_its_address(empty: World) -> None:
    assert empty.canary("links", "dashboard") == Ran(0, f"{URL}\n", "")
    data = empty.canary("links", "dashboard", "-o", "json").json["data"]
    assert data["links"] == {"dashboard": URL}


def test_a_name_that_is_not_there_has_near_names(empty: World) -> None:
    ran = empty.canary("links", "dashbord")
    assert ran.code == ExitCode.NOT_FOUND
    assert ran.err == ("error: `canary.yaml` has no link `dashbord`\nhint: did you mean `dashboard`?\n")
    assert "hint: it has `dashboard`" in empty.canary("links", "xyz").err


@pytest.mark.parametrize("arguments", [(), ("dashboard",)])
def test_open_is_for_a_person_at_a_terminal(empty: World, opened: list[str], arguments: tuple[str, ...]) -> None:
    ran = empty.canary("links", *arguments, "--open", terminal=True)
    assert (ran.code, ran.err, opened) == (ExitCode.OK, f"opened {URL}\n", [URL])


def test_without_a_terminal_nothing_is_opened(empty: World, opened: list[str]) -> None:
    ran = empty.canary("links", "--open")
    assert (ran.code, opened) == (ExitCode.USAGE, [])
    assert ran.err == f"error: --open needs a terminal\nhint: the address is {URL}\n"


def test_only_what_a_browser_is_for_is_opened(empty: World, opened: list[str]) -> None:
    (empty.folder / "canary.yaml").write_text(CONFIG.replace("https://argo", "file:///etc/argo"))
    ran = empty.canary("links", "--open", terminal=True)
    assert (ran.code, opened) == (ExitCode.USAGE, [])
    assert "`dashboard` is not an address for a browser" in ran.err


def test_a_browser_that_does_not_start_is_said_with_the_address(empty: World, opened: list[str]) -> None:
    (empty.folder / "canary.yaml").write_text(CONFIG.replace("argo.example", "broken.example"))
    ran = empty.canary("links", "--open", terminal=True)
    assert ran.code == ExitCode.FAILED
    assert "no browser could be opened\nhint: the address is https://broken." in ran.err
