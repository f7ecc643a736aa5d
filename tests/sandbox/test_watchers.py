"""Many watchers over real connections; `make bench` tells how long 50 of them need for 200."""

from pathlib import Path

from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.credentials import open_transport
from companyos_canary.sandbox.sandbox import Sandbox
from tests.fanout import fan_out


def test_fifty_watchers_see_every_update_in_order(tmp_path: Path) -> None:
    running = Sandbox(namespaces=("companyos",))
    try:
        kubeconfig = tmp_path / "kubeconfig"
        running.write_kubeconfig(kubeconfig, "companyos")
        found = open_transport(str(kubeconfig), None, environ={}, timeout=10)
        cluster = Cluster(found.transport, "companyos")
        assert fan_out(cluster, watchers=50, updates=40).lost == 0
        cluster.close()
    finally:
        running.close()
