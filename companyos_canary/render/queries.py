"""The queries of the guide's five metrics: the safe form, and the guide's own words.

A safe query answers one number or nothing. A missing 5xx (or success) series counts as 0, thin
traffic empties the answer, a p95 beyond the last finite bucket is +Inf, and a stable version
without errors counts as `error-floor`.
"""

# The words in capitals represent these; LEAST guards against thin traffic.
_WORDS = {
    "REQUESTS": "companyos_http_requests_total",
    "BUCKETS": "companyos_http_request_duration_seconds_bucket",
    "DECISIONS": "companyos_opa_decisions_total",
    "CANARY": 'canary="true",rollouts_pod_template_hash=~"{{args.canary-hash}}",{{args.scope}}',
    "STABLE": 'canary!="true",{{args.scope}}',
    "WINDOW": "{{args.window}}",
    "LEAST": "{{args.min-requests}}",
    "FLOOR": "{{args.error-floor}}",
}

_SAFE = {
    "error-rate": """\
(
  (sum(rate(REQUESTS{status=~"5..",CANARY}[WINDOW])) or vector(0))
  /
  sum(rate(REQUESTS{CANARY}[WINDOW]))
)
and on() (sum(increase(REQUESTS{CANARY}[WINDOW])) >= LEAST)
""",
    "latency-p95": """\
(
  (
    histogram_quantile(0.95, sum by (le) (rate(BUCKETS{CANARY}[WINDOW])))
    and on() (
      max(sum by (le) (rate(BUCKETS{le!="+Inf",CANARY}[WINDOW])))
      >= 0.95 * sum(rate(BUCKETS{le="+Inf",CANARY}[WINDOW]))
    )
  )
  or on()
  sum(rate(BUCKETS{le="+Inf",CANARY}[WINDOW])) * Inf
)
and on() (sum(increase(BUCKETS{le="+Inf",CANARY}[WINDOW])) >= LEAST)
""",
    "latency-ratio": """\
(
  histogram_quantile(0.95, sum by (le) (rate(BUCKETS{CANARY}[WINDOW])))
  /
  histogram_quantile(0.95, sum by (le) (rate(BUCKETS{STABLE}[WINDOW])))
)
and on() (sum(increase(BUCKETS{le="+Inf",CANARY}[WINDOW])) >= LEAST)
and on() (sum(increase(BUCKETS{le="+Inf",STABLE}[WINDOW])) >= LEAST)
""",
    "error-ratio": """\
(
  (
    (sum(rate(REQUESTS{status=~"5..",CANARY}[WINDOW])) or vector(0))
    /
    sum(rate(REQUESTS{CANARY}[WINDOW]))
  )
  /
  clamp_min(
    (sum(rate(REQUESTS{status=~"5..",STABLE}[WINDOW])) or vector(0))
    /
    sum(rate(REQUESTS{STABLE}[WINDOW])),
    FLOOR
  )
)
and on() (sum(increase(REQUESTS{CANARY}[WINDOW])) >= LEAST)
and on() (sum(increase(REQUESTS{STABLE}[WINDOW])) >= LEAST)
""",
    "opa-success": """\
(
  (sum(rate(DECISIONS{result="success",CANARY}[WINDOW])) or vector(0))
  /
  sum(rate(DECISIONS{CANARY}[WINDOW]))
)
and on() (sum(increase(DECISIONS{CANARY}[WINDOW])) >= LEAST)
""",
}

_LITERAL = {
    "error-rate": """\
sum(rate(REQUESTS{status=~"5..",canary="true"}[WINDOW]))
/
sum(rate(REQUESTS{canary="true"}[WINDOW]))
""",
    "latency-p95": """\
histogram_quantile(0.95,
  sum(rate(BUCKETS{canary="true"}[WINDOW])) by (le)
)
""",
    "latency-ratio": """\
histogram_quantile(0.95,
  sum(rate(BUCKETS{canary="true"}[WINDOW])) by (le)
)
/
histogram_quantile(0.95,
  sum(rate(BUCKETS{canary="false"}[WINDOW])) by (le)
)
""",
    "error-ratio": """\
(
  sum(rate(REQUESTS{status=~"5..",canary="true"}[WINDOW]))
  /
  sum(rate(REQUESTS{canary="true"}[WINDOW]))
)
/
(
  sum(rate(REQUESTS{status=~"5..",canary="false"}[WINDOW]))
  /
  sum(rate(REQUESTS{canary="false"}[WINDOW]))
)
""",
    "opa-success": """\
sum(rate(DECISIONS{result="success",canary="true"}[WINDOW]))
/
sum(rate(DECISIONS{canary="true"}[WINDOW]))
""",
}


def _spelled_out(text: str) -> str:
    for word, meaning in _WORDS.items():
        text = text.replace(word, meaning)
    return text


SAFE = {name: _spelled_out(text) for name, text in _SAFE.items()}
LITERAL = {name: _spelled_out(text) for name, text in _LITERAL.items()}


def requests_seen(scope: str, hash_: str, seconds: int) -> str:
    """How many requests the canary has had for so long; with a hash, those of that template."""
    own = f',rollouts_pod_template_hash="{hash_}"' if hash_ else ""
    return f'sum(increase({_WORDS["REQUESTS"]}{{canary="true"{own},{scope}}}[{seconds}s]))'
