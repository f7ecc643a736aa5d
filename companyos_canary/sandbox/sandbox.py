"""A whole cluster in this process on real time: API server over TLS, Prometheus over http, and one
thread that lets the controllers act."""

import secrets
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from companyos_canary.sandbox.api.access import Roles, all_rules, everything
from companyos_canary.sandbox.api.api import Api
from companyos_canary.sandbox.behaviour import PROMPT, V1_9, Lag, Pace, Release
from companyos_canary.sandbox.cluster import Cluster
from companyos_canary.sandbox.control import Control
from companyos_canary.sandbox.controller.rollouts import refusal
from companyos_canary.sandbox.controller.routers import PLUGINS
from companyos_canary.sandbox.credentials import make_identity, write_kubeconfig
from companyos_canary.sandbox.faults.effects import Fault, Freeze, RouterLag
from companyos_canary.sandbox.faults.injection import Faulty
from companyos_canary.sandbox.kinds import CONFIGMAP, NAMESPACE, SERVICE
from companyos_canary.sandbox.objects import Object
from companyos_canary.sandbox.prometheus import PrometheusApi
from companyos_canary.sandbox.provider import HttpProvider
from companyos_canary.sandbox.scenarios import Playing, Scenario, default
from companyos_canary.sandbox.server import Server
from companyos_canary.sandbox.store import Store
from companyos_canary.sandbox.traffic import Traffic
from companyos_canary.sandbox.tsdb import Tsdb

PROMETHEUS = ("monitoring", "prometheus", 9090)
_CONTROLLERS = "argo-rollouts"  # where a controller of one's own keeps its Lease
_SUFFIXES = ("", ".svc", ".svc.cluster.local")


def _refuse_nothing(_: Object) -> None:
    """A controller of one's own may know more than ours."""


def _now() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """Started by its constructor. `namespaces` are made at the start; `controller` and
    `replicasets` False leave kinds to controllers of your own (see Cluster). `faults` meet every
    client, `roles` say what the token may do (None: all), `scenario` what versions do, `seed` which
    requests chance brings (None: their shares are exact), `release` as which one of Argo Rollouts the
    controller behaves, `pace` how late controllers and kubelet act on a change; `control` switches
    faults later. `close` ends it within a second."""

    def __init__(
        self,
        *,
        port: int = 0,
        namespaces: tuple[str, ...] = ("companyos",),
        controller: bool = True,
        replicasets: bool = True,
        faults: Sequence[Fault | Freeze | RouterLag] = (),
        roles: Roles | None = None,
        scenario: Scenario | None = None,
        seed: int | None = None,
        release: Release = V1_9,
        pace: Pace = PROMPT,
    ) -> None:
        self.token = secrets.token_urlsafe(24)
        self.store, tsdb = Store(_now), Tsdb()
        playing = Playing(scenario or default())
        lag = Lag()
        traffic = Traffic(
            self.store, tsdb, playing.behaviour, rate=playing.traffic, bounds=playing.buckets, seed=seed, lag=lag
        )
        metrics = PrometheusApi(tsdb, _now, traffic.targets)
        self._metrics = Server(metrics.handle)
        self._provider = HttpProvider(self.resolve, self.store.wake)
        self.cluster = Cluster(
            self.store,
            provider=self._provider,
            traffic=traffic,
            controller=controller,
            replicasets=replicasets,
            behave=playing.behaviour,
            release=release,
            pace=pace,
            lag=lag,
        )
        namespace, name, prometheus_port = PROMETHEUS
        api = Api(
            self.store,
            proxies={f"{namespace}/{name}:{prometheus_port}": metrics.handle},
            refuse=refusal if controller else _refuse_nothing,
            allowed=roles or everything,
            rules=roles.listed if roles else all_rules,
        )
        self.faults = Faulty(api.handle)
        self.control = Control(self.faults, self.cluster, playing, _now)
        self.control.switch(*faults)
        identity = make_identity()
        self.ca = identity.ca
        self._api = Server(self.control, tls=identity.context, token=self.token, port=port)
        _furnish(self.store, namespaces, controller=controller)
        self._stop = threading.Event()
        self._acting = threading.Thread(target=self.cluster.run, args=(self._stop,), daemon=True)
        for server in (self._metrics, self._api):
            server.start()
        self._acting.start()

    @property
    def url(self) -> str:
        return self._api.url

    @property
    def prometheus_url(self) -> str:
        """Its address outside of the cluster; inside it is that of the Service."""
        return self._metrics.url

    def write_kubeconfig(self, path: Path, namespace: str) -> None:
        """Writes the file that leads a client here, for its owner only; OSError where it cannot."""
        write_kubeconfig(path, server=self.url, token=self.token, ca=self.ca, namespace=namespace)

    def resolve(self, address: str) -> str:
        """The cluster's DNS: the address of the Prometheus Service becomes the real one."""
        namespace, name, port = PROMETHEUS
        for suffix in _SUFFIXES:
            inside = f"http://{name}.{namespace}{suffix}:{port}"
            if address == inside or address.startswith(inside + "/"):
                return self._metrics.url + address[len(inside) :]
        return address

    def close(self) -> None:
        self._stop.set()
        self.store.wake()
        self._api.close()
        self._metrics.close()
        self._provider.close()
        self._acting.join(1.0)


def _furnish(store: Store, namespaces: tuple[str, ...], *, controller: bool) -> None:
    """What a cluster has before anything is deployed: namespaces, Prometheus as a Service, and the configuration of our
    controller with the plugin that it emulates. One of your own would look for that plugin and end."""
    monitoring, name, port = PROMETHEUS
    for namespace in dict.fromkeys((*namespaces, monitoring, _CONTROLLERS)):
        if store.get(NAMESPACE, "", namespace) is None:
            store.create(NAMESPACE, {"metadata": {"name": namespace}, "status": {"phase": "Active"}})
    store.create(
        SERVICE,
        {
            "metadata": {"name": name, "namespace": monitoring},
            "spec": {
                "type": "ClusterIP",
                "clusterIP": "10.96.0.90",
                "ports": [{"name": "http", "port": port, "protocol": "TCP", "targetPort": port}],
                "selector": {"app": name},
            },
        },
    )
    if not controller:
        return
    plugins = "".join(f'- name: "{plugin}"\n  location: built-in\n' for plugin in PLUGINS)
    meta = {"name": "argo-rollouts-config", "namespace": _CONTROLLERS}
    store.create(CONFIGMAP, {"metadata": meta, "data": {"trafficRouterPlugins": plugins}})
