"""The traffic routers that the sandbox acts out, one adapter each."""
