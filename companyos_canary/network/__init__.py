"""HTTP/1.1 to one server, which the API server and Prometheus are asked over."""
