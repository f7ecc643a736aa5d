"""The condition language of AnalysisTemplates: the part of expr-lang that metrics need.

`language` is its front door. `limits` only reads trees, so nothing is imported here.
"""
