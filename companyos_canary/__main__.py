"""`python -m companyos_canary` is `canary`."""

from companyos_canary.cli import main

main()
