"""One API over an empty store, with a clock that is stopped."""

import pytest

from tests.sandbox.api.client import Client, connect


@pytest.fixture
def client() -> Client:
    return connect()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-transcripts", action="store_true", help="write the transcripts")
