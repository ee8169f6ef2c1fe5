"""How long ``ipx --help`` and ``ipx list`` take, whole process."""

from __future__ import annotations

import subprocess
import sys

from common import interleaved, publish


def main() -> None:
    """Against the bare interpreter."""
    runs = {
        "bare python": [sys.executable, "-c", "pass"],
        "ipx --help": [sys.executable, "-m", "ipx_cli.main", "--help"],
        "ipx list": [sys.executable, "-m", "ipx_cli.main", "list"],
        "import torch": [sys.executable, "-c", "import torch"],
    }
    ms = interleaved(
        {n: (lambda c=c: subprocess.run(c, capture_output=True, check=True))
         for n, c in runs.items()}
    )  # fmt: skip
    rows = "\n".join(f"| {n} | {t:.0f} |" for n, t in ms.items())
    publish("startup", "Start-up", "| command | ms |\n|---|---|\n" + rows)


if __name__ == "__main__":
    main()
