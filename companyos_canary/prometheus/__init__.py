"""The only code of the product that talks to Prometheus."""
