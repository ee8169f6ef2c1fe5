"""Freed memory is kept where the C library can be told to, and only then."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CODE = "from ipx.numerics.memory import keep_freed; print(keep_freed())"


def keeps(value: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        env={"IPX_KEEP_MEMORY": value},
        check=True,
    )
    return done.stdout.strip()


def test_it_can_be_turned_off() -> None:
    assert keeps("0") == "False"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_it_is_set_under_glibc() -> None:
    assert keeps("1") == "True"
