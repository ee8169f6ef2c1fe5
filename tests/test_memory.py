"""Freed memory is kept where the C library can be told to, and only then."""

from __future__ import annotations

import platform

import pytest

from ipx.numerics.memory import keep_freed

set_now = keep_freed.__wrapped__
"""Makes the settings at each call; a restoration in this process has made them anyway."""


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPX_KEEP_MEMORY", "0")
    assert set_now() is False


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_it_is_set_under_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPX_KEEP_MEMORY", "1")
    assert set_now() is True
