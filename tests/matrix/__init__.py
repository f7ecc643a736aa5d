"""Every verb, every fault, each request that the verb makes: what the command says of it, held to laws.

`stories` has the verbs and what exit 0 of each promises, `faults` what goes wrong, `cells` plays one of each in a copy
of the World, `page` makes docs/reliability.md of all.
"""
