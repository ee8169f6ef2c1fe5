"""Make all pages of ``docs/benchmarks`` at one commit, one script after the other.

    python tests/benchmarks/all.py [NAME...] [--faces MOSAIC] [--digits FOLDER] ...

What has run with the present code, of the last commit that changed it, is left out, so that a run
that was broken off goes on. A script whose argument is not given is left out and named. Give the
machine nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STATE = ROOT / "runs" / "benchmarks.json"

CODE = ("core", "plugins", "cli", "tests/benchmarks/common.py")
SHARED = {"all", "common"}
ARGUMENTS = {
    "autoencoders": ("digits", "photos"),
    "bm3d_speed": ("bm3d",),
    "colourisation": ("photos",),
    "flow_mean": ("faces",),
    "gans": ("digits",),
    "generative_paths": ("faces",),
    "pixelcnn": ("digits",),
    "sensing_faces": ("faces",),
    "translation": ("portraits",),
}
"""The options that a script gets as its arguments."""


def scripts() -> list[str]:
    """The names of all scripts."""
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in SHARED)


def commit(name: str) -> str:
    """The last commit that changed `CODE` or the script.

    Raises:
        SystemExit: this is no checkout, or files differ from the commit.
    """
    git, files = ("git", "-C", str(ROOT)), (*CODE, f"tests/benchmarks/{name}.py")
    try:
        last = (*git, "log", "-1", "--format=%H", "--", *files)
        head = subprocess.run(last, capture_output=True, text=True)
        changed = subprocess.run(
            (*git, "status", "--porcelain", *files), capture_output=True, text=True
        )
    except OSError as e:
        raise SystemExit(f"git is needed to tell the commit: {e}") from e
    if head.returncode:
        raise SystemExit(head.stderr.strip())
    if changed.stdout:
        raise SystemExit("the code differs from its commit; commit first")
    return head.stdout.strip()


def arguments(name: str, given: argparse.Namespace) -> list[str] | None:
    """The arguments of a script; None if any is not given."""
    values = [getattr(given, option) for option in ARGUMENTS.get(name, ())]
    return None if None in values else values


def main() -> None:
    """Run what has not run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", help="scripts, without .py; all if there are none")
    parser.add_argument("--faces", help="a mosaic of faces")
    parser.add_argument("--digits", help="a folder of digits, see ipx data")
    parser.add_argument("--photos", help="a folder of photographs")
    parser.add_argument("--portraits", help="a folder of mosaics of portraits, see translation.py")
    parser.add_argument("--bm3d", help="a Python that has bm3d")
    given = parser.parse_args()
    if unknown := set(given.names) - set(scripts()):
        raise SystemExit(f"no such script: {', '.join(sorted(unknown))}")
    state = json.loads(STATE.read_text()) if STATE.is_file() else {}
    failed, left = [], []
    for name in given.names or scripts():
        told, now = arguments(name, given), commit(name)
        if state.get(name) == now:
            continue
        if told is None:
            left.append(f"{name} ({' '.join(f'--{option}' for option in ARGUMENTS[name])})")
            continue
        began = time.monotonic()
        done = subprocess.run([sys.executable, HERE / f"{name}.py", *told], cwd=ROOT)
        print(f"{name}: status {done.returncode}, {time.monotonic() - began:.0f} s", flush=True)
        if done.returncode:
            failed.append(name)
            continue
        state[name] = now
        STATE.parent.mkdir(exist_ok=True)
        STATE.write_text(json.dumps(state, indent=1))
    if left:
        print("left out:", ", ".join(left))
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
