"""`python -m companyos_canary` is `canary`; Ctrl-C also counts while the program is loaded."""

import sys


def main() -> None:
    try:
        from companyos_canary.cli import start as canary  # noqa: PLC0415 - it takes the longest

        canary()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
