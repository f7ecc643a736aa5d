"""What each changing verb sends, decided from what was read: a function a verb, no I/O.

A decision is a `Change` (patches, with the `test` operations that pin what was decided on), a
`Refusal` (the verb would do something else than its name says) or `Nothing` (it already holds).
"""
