"""The promised form of everything that `-o json` prints: types, and the JSON Schema of them.

`parts` is what a Rollout consists of, `answers` what each verb says with it; both are TypedDicts
that mypy holds against what the view builds. `schema` makes the published schema of them. Nothing
here is imported at run time but for `canary schema` and `--field`.
"""
