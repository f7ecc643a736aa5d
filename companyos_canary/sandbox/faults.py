"""Faults on demand: what a cluster does on a bad day, in front of a handle."""


class Dropped(ConnectionResetError):
    """The connection is reset; a server does so without another byte."""


class Silent(TimeoutError):
    """No answer comes; a server keeps the connection open and says nothing."""
