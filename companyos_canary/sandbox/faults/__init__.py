"""Faults on demand: what a cluster does on a bad day, in front of a handle.

`Faulty(handle)` is a handle, too; `parse_fault` reads the rules that people write.
"""
