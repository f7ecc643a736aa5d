"""Says why for every case in a folder, a JSON line each: `python -m tests.diagnosis [DIR]`."""

import json
import sys
from pathlib import Path

from companyos_canary.view.machine import jsonable
from tests.diagnosis.folder import Folder, folders

CASES = Path(__file__).parent / "cases"


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else CASES
    found = folders(root)
    failed = False
    for path in found:
        try:
            line = Folder(path).line()
        except Exception as error:  # what is wrong with one case must not hide the others
            line, failed = {"case": path.name, "error": f"{type(error).__name__}: {error}"}, True
        print(json.dumps(jsonable(line), ensure_ascii=False), flush=True)
    return 0 if found and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
