"""The condition language of AnalysisTemplates: the part of expr-lang that metrics need.

Start with `language`. `argo.limits` only needs the tree, so this package imports nothing itself.
"""
