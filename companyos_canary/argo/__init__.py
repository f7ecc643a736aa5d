"""The rules of Argo Rollouts as pure functions: what we predict with and the sandbox acts with."""
