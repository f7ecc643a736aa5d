"""The part of PromQL that our queries need, evaluated over given samples; pure."""
