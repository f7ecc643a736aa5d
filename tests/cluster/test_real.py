"""All of it at once over TLS: kubeconfig, transport, client, feed, against the sandbox's server."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.credentials import open_transport
from companyos_canary.cluster.feed import WatchFeed
from companyos_canary.cluster.kinds import ROLLOUT
from companyos_canary.errors import Unauthenticated
from companyos_canary.prometheus.client import Prometheus
from companyos_canary.prometheus.transport import ProxyTransport, Service
from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.credentials import make_identity, write_kubeconfig
from companyos_canary.sandbox.server import Server
from tests import builders
from tests.cluster.memory import NS, World, until, whole

NAME = builders.NAME


class Real:
    """A world behind a real server, and a kubeconfig that leads there."""

    def __init__(self, folder: Path) -> None:
        self.world = World()
        identity = make_identity()
        self.server = Server(Api(self.world.store).handle, tls=identity.context, token="t").start()
        self.kubeconfig = folder / "config"
        write_kubeconfig(self.kubeconfig, server=self.server.url, token="t", ca=identity.ca, namespace=NS)

    def cluster(self) -> Cluster:
        found = open_transport(str(self.kubeconfig), None, environ={}, timeout=5)
        return Cluster(found.transport, found.namespace, found.context)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Real]:
    made = Real(tmp_path)
    yield made
    made.server.close()


def test_a_rollout_is_read_changed_and_followed_over_tls(real: Real) -> None:
    cluster = real.cluster()
    feed = WatchFeed(cluster, NAME, now=lambda: datetime.now(UTC))
    try:
        found = until(feed, whole)
        assert found == cluster.snapshot(NAME)
        cluster.patch(ROLLOUT, NAME, {"spec": {"paused": True}})
        assert until(feed, lambda s: s.rollout.paused)
        requests = cluster.transport.requests  # type: ignore[attr-defined]
        assert feed.wait(0.2) is False
        assert cluster.transport.requests == requests  # type: ignore[attr-defined]
    finally:
        started = time.monotonic()
        feed.close()
        cluster.close()
    assert time.monotonic() - started < 1
    assert not [t for t in threading.enumerate() if t.name.startswith("watch-")]


def test_a_server_that_goes_away_makes_it_stale_within_moments(real: Real) -> None:
    cluster = real.cluster()
    feed = WatchFeed(cluster, NAME, now=lambda: datetime.now(UTC))
    try:
        last = until(feed, whole)
        real.server.close()
        stale = until(feed, lambda s: s.stale_since)
        assert stale.rollout == last.rollout
    finally:
        feed.close()
        cluster.close()


def test_a_token_that_is_not_known_is_unauthenticated(real: Real) -> None:
    text = real.kubeconfig.read_text().replace('token: "t"', 'token: "other"')
    real.kubeconfig.write_text(text)
    cluster = real.cluster()
    with pytest.raises(Unauthenticated, match="does not accept the credentials"):
        cluster.rollout(NAME)
    cluster.close()


def test_a_service_that_is_not_there_is_a_problem_and_no_failure(real: Real) -> None:
    cluster = real.cluster()
    reading = Prometheus("", ProxyTransport(cluster.transport, Service("monitoring", "prometheus", 9090))).ask("up")
    cluster.close()
    assert 'services "prometheus" not found' in reading.problem
