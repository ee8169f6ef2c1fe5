"""Options: declared once, checked always."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, strategies as st

import ipx
from ipx import Options, opt


class Sample(Options):
    """One option of each kind."""

    flag: bool = opt(default=False, help="A flag.")
    count: int = opt(default=3, min=1, max=9, help="A count.")
    share: float = opt(default=0.5, above=0.0, max=1.0, help="A share.")
    shape: Literal["box", "disk"] = opt(default="box", help="A shape.")
    colors: Literal[1, 3] = opt(default=1, help="Channels.")
    where: Path | None = opt(default=None, help="A file.")
    size: tuple[int, int] = opt(default=(2, 3), help="A size.")
    many: tuple[float, ...] = opt(default=(), help="Any number of numbers.")


class Needed(Options):
    """An option without default."""

    level: float = opt(help="A level.")


class Changed(Sample, defaults={"count": 5, "where": Path("here")}):
    """The same with other defaults."""


def test_a_subclass_changes_defaults_and_nothing_else() -> None:
    assert (Changed().count, Changed().where, Changed().share) == (5, Path("here"), 0.5)
    assert Changed(count=2).count == 2
    for name, info in Sample.infos().items():
        other = Changed.infos()[name]
        assert replace(other, default=info.default) == info
    assert list(Changed.infos()) == list(Sample.infos())
    assert Sample().count == 3
    with pytest.raises(ipx.OptionError, match="<= 9"):
        Changed(count=10)
    with pytest.raises(TypeError, match="no option number"):
        type("Wrong", (Sample,), {}, defaults={"number": 1})


@given(
    flag=st.booleans(),
    count=st.integers(1, 9),
    share=st.floats(1e-9, 1.0),
    shape=st.sampled_from(["box", "disk"]),
    colors=st.sampled_from([1, 3]),
    size=st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 9)),
    many=st.lists(st.floats(allow_nan=False, allow_infinity=False)),
)
def test_round_trip(flag, count, share, shape, colors, size, many) -> None:
    made = Sample(
        flag=flag, count=count, share=share, shape=shape, colors=colors, size=size, many=tuple(many)
    )
    assert Sample.from_mapping(made.to_mapping()) == made
    for name, info in Sample.infos().items():
        value = getattr(made, name)
        if isinstance(value, tuple):
            text = ",".join(repr(v) for v in value)
        else:
            text = "none" if value is None else str(value)
        assert info.parse(text) == value


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"count": 0}, "count must be >= 1 and <= 9, not 0"),
        ({"count": 2.5}, "count must be a whole number, not 2.5"),
        ({"count": True}, "count must be a whole number"),
        ({"share": 0.0}, "share must be > 0 and <= 1, not 0"),
        ({"share": float("nan")}, "share must be > 0 and <= 1, not nan"),
        ({"many": (1.0, float("inf"))}, "many must be finite, not inf"),
        ({"size": (2**63, 1)}, "size must be below 2^63 in size, not 9223372036854775808"),
        ({"shape": "dsk"}, "did you mean disk"),
        ({"colors": 2}, "colors must be 1 or 3, not 2"),
        ({"colors": "grey"}, "colors must be a whole number"),
        ({"flag": "perhaps"}, "flag must be true or false"),
        ({"size": (1,)}, "size takes 2 values, not 1"),
        ({"cuont": 1}, "unknown option cuont; did you mean count"),
        ({"share": None}, "share needs a value"),
    ],
)
def test_bad_values_are_told_in_one_line(values, line: str) -> None:
    with pytest.raises(ipx.OptionError) as caught:
        Sample(**values)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_required_frozen_and_dashes() -> None:
    with pytest.raises(ipx.OptionError, match="level is required"):
        Needed()
    made = Needed.from_mapping({"level": 2})
    assert made.level == 2.0
    with pytest.raises(AttributeError):
        made.level = 3.0  # type: ignore[misc]
    assert ipx.prior("tv").options.to_mapping()["isotropic"] is True
