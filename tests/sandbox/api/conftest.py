"""One API over an empty store, with a clock that stands still."""

import pytest

from tests.sandbox.api.client import Client, connect


@pytest.fixture
def client() -> Client:
    return connect()
