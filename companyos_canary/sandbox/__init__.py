"""A cluster in a process: API server, Rollouts controller, kubelet, traffic and Prometheus."""
