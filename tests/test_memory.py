"""Freed memory is kept where the C library can be told to, and only then."""

from __future__ import annotations

import platform

import pytest
import torch

from ipx.numerics import memory
from ipx.numerics.free import resident
from ipx.numerics.memory import keep_freed, trim

set_now = keep_freed.__wrapped__
"""Makes the settings at each call; a restoration in this process has made them anyway."""


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPX_KEEP_MEMORY", "0")
    assert set_now() is False


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_it_is_set_under_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPX_KEEP_MEMORY", "1")
    assert set_now() is True


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_holes_between_arrays_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPX_KEEP_MEMORY", "1")
    set_now()
    arrays = [torch.ones(1 << 20) for _ in range(40)]
    del arrays[::2]
    monkeypatch.setattr(memory, "LEFT", 1 << 40)
    assert not trim()
    monkeypatch.setattr(memory, "LEFT", -(1 << 40))
    assert not trim(memory.TRIMMED)
    before = resident()
    assert trim()
    assert before - resident() > 60 << 20
    assert all(bool((array == 1).all()) for array in arrays)
