"""Finding plugins: broken ones are recorded and break nothing, names are resolved."""

from __future__ import annotations

import importlib.metadata
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import ipx
from ipx.declare.capabilities import implemented, methods
from ipx.declare.registry import Registry, load, registry
from ipx.errors import PluginError
from ipx.planning.tree import tree
from ipx.testing import variants

GROUP = "ipx.v1"
INSTALLED = list(importlib.metadata.entry_points(group=GROUP))


@pytest.fixture(autouse=True)
def _fixtures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "plugins"))


def entry(module: str, name: str | None = None, group: str = GROUP) -> EntryPoint:
    return EntryPoint(name or module.replace("_", "-"), module, group)


def with_plugins(*entries: EntryPoint) -> Registry:
    return load([*INSTALLED, *entries])


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("broken_import", "No module named 'surely_not_installed'"),
        ("broken_exit", "SystemExit: 3"),
        ("broken_hook", "ipx_component"),
        ("broken_arguments", "registry"),
        ("no_hooks", "implements no hook of ipx"),
        ("bad_name", "'My Prior' is not a component name"),
        ("bad_options", "option table has the unsupported type"),
        ("not_there_at_all", "No module named 'not_there_at_all'"),
    ],
)
def test_broken_plugins_are_recorded_and_break_nothing(module: str, line: str) -> None:
    reg = with_plugins(entry(module))
    (broken,) = reg.broken
    assert broken.name == module.replace("_", "-")
    assert line in broken.error
    assert "\n" not in broken.error
    assert "Traceback" in broken.trace
    assert reg.get("prior", "tv").name == "tv"
    assert reg.create(reg.get("prior", "l1")) is not None
    with pytest.raises(ipx.UnknownNameError, match=r"1 plugin is broken \([a-z-]+\): see ip"):
        reg.get("prior", "surely-not")


FAULTY = "ipx.PriorSpec(name='a', target='b:C', summary='s'{})"


@pytest.mark.parametrize(
    ("declared", "line"),
    [
        ("'tv'", "ipx_components() returned 'tv', which is not a Spec"),
        (FAULTY.format(", options=dict"), "options of a are not a subclass of ipx.Options"),
        (FAULTY.format("").replace(":C", ""), "target 'b' of a is not 'module:Class'"),
        (FAULTY.format("").replace("Prior", "Solver"), "solver a does not say what it needs"),
        (FAULTY.format("") + ", " + FAULTY.format(""), "prior a is declared twice"),
    ],
)
def test_a_declaration_that_cannot_be_right_breaks_its_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: str, line: str
) -> None:
    text = f"import ipx\n\n\n@ipx.hookimpl\ndef ipx_components():\n    return [{declared}]\n"
    (tmp_path / "told_wrong.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "told_wrong", raising=False)
    (broken,) = load([entry("told_wrong")]).broken
    assert line in broken.error
    (broken,) = load([EntryPoint("a", "told_wrong:ipx_components", GROUP)]).broken
    assert "told_wrong:ipx_components is not a module" in broken.error


@pytest.mark.parametrize(
    ("faulty", "line"),
    [
        (lambda: ipx.Need(data=ipx.DataGrad, prior=()), "data of Need must be a tuple of capab"),  # type: ignore[arg-type]
        (
            lambda: ipx.Need((), (ipx.DataGrad,)),
            "prior of Need: DataGrad is a capability of",
        ),
        (
            lambda: ipx.SolverSpec(name="a", target="b:C", summary="", needs=ipx.Need((), ())),  # type: ignore[arg-type]
            r"needs of a must be a tuple of ipx.Need, as in \(Need",
        ),
        (
            lambda: ipx.PriorSpec(name="a", target="b:C", summary="", provides=("Value",)),  # type: ignore[arg-type]
            "provides of a must be a tuple of capability classes",
        ),
        (
            lambda: ipx.PriorSpec(name="a", target="b:C", summary="", traits={"convex": True}),  # type: ignore[arg-type]
            r"traits of a must be ipx.Traits",
        ),
    ],
)
def test_a_declaration_of_wrong_types_is_refused_where_it_is_made(faulty, line: str) -> None:
    """So its plugin is broken, and nothing else."""
    with pytest.raises(PluginError, match=line):
        faulty()


def test_another_version_of_the_interface_is_refused_without_import() -> None:
    reg = with_plugins(entry("liar", group="ipx.v2"))
    (broken,) = reg.broken
    assert broken.error == "it is written for ipx.v2; this ipx has ipx.v1"
    assert "liar" not in reg.names("prior")


def test_a_liar_is_caught_when_it_is_made() -> None:
    reg = with_plugins(entry("liar"))
    assert not reg.broken
    told = "prior liar of plugin liar: Grad is declared, but L1 does not implement it"
    with pytest.raises(PluginError, match=told):
        reg.create(reg.get("prior", "liar"))
    assert reg.create(reg.get("prior", "plain")).options == ipx.NoOptions()


def test_two_declarations_of_one_class_stay_apart() -> None:
    """Both have no options; the facts of an instance are those it was made from."""
    reg = with_plugins(entry("twins"))
    for name, share, prefers in (("left", 0.1, ("fista",)), ("right", 0.2, ("admm",))):
        made = reg.create(reg.get("prior", name))
        assert made.traits.lam_per_variance == share
        assert tree("prior", made).prefers == prefers


def test_a_subclass_of_a_declared_class_may_say_more() -> None:
    """Its own traits, needs and methods come first; the rest stays that of the declaration."""
    base: type[ipx.Prior[ipx.Options]] = registry().get("prior", "tv").load()
    own = ipx.Traits(basis="dct", lam_per_variance=0.3)
    told = type("Told", (base,), {"traits": own})()
    less = type("Less", (base,), {"provides": (ipx.Value,)})()
    assert told.traits == own
    assert told.capabilities == base().capabilities
    assert less.capabilities == {ipx.Value}
    assert less.traits == base().traits
    smooth = type("Smooth", (base,), {"grad": lambda self, x: x})()
    assert smooth.capabilities == base().capabilities | {ipx.Grad}
    fista = registry().get("solver", "fista").load()
    needs = (ipx.Need((ipx.DataGrad,), ()),)
    assert type("Plain", (fista,), {"needs": needs})().needs == needs
    assert type("Same", (fista,), {})().needs == fista().needs != needs


@pytest.mark.parametrize("kind", ["operator", "noise", "prior"])
def test_what_a_built_in_class_implements_is_declared(kind: str) -> None:
    """With some options of a declaration: a capability forgotten is one that no plan uses."""
    builtin = {p.name for p in registry().plugins if p.builtin}
    told: dict[type, set[type]] = {}
    for spec in registry().all(kind):
        if spec.plugin in builtin:
            known = {c for _, o in variants(spec) for c in spec.capabilities(o) if methods(c)}
            told.setdefault(spec.load(), set()).update(known)
    for cls, known in told.items():
        # a method of a common base may serve one of its classes only
        shared = {
            c
            for c in implemented(cls, kind) - known
            for other, theirs in told.items()
            if c in theirs and all(getattr(other, m) is getattr(cls, m) for m in methods(c))
        }
        assert known | shared == implemented(cls, kind), cls


def test_names_that_clash() -> None:
    reg = with_plugins(entry("liar"), entry("clash"))
    assert reg.get("prior", "tv").plugin == "tv"  # the built-in one keeps its bare name
    assert reg.get("prior", "clash/tv").plugin == "clash"
    with pytest.raises(ipx.UnknownNameError, match=r"several plugins; say which: clash/plain, li"):
        reg.get("prior", "plain")
    assert {"tv", "clash/tv", "clash/plain", "liar/plain"} <= set(reg.names("prior"))
    with pytest.raises(ipx.UnknownNameError, match="several plugins"):
        reg.find("plain")


def test_two_plugins_of_one_name() -> None:
    reg = with_plugins(entry("liar", "twice"), entry("clash", "twice"))
    (broken,) = reg.broken
    assert "another plugin of this name" in broken.error


def test_order_does_not_depend_on_the_path() -> None:
    entries = [entry("liar"), entry("clash")]
    one, two = load([*INSTALLED, *entries]), load([*reversed(entries), *reversed(INSTALLED)])
    assert [p.name for p in one.plugins] == [p.name for p in two.plugins]
    assert one.names("prior") == two.names("prior")


def test_disabled_plugins_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPX_DISABLE_PLUGINS", "tv, broken-import")
    reg = with_plugins(entry("broken_import"))
    assert not reg.broken
    assert "tv" not in reg.names("prior")
    assert {p.name for p in reg.plugins if p.status == "disabled"} == {"tv", "broken-import"}


def test_did_you_mean() -> None:
    reg = with_plugins()
    with pytest.raises(ipx.UnknownNameError, match="did you mean wavelet"):
        reg.get("prior", "wavelets")
    with pytest.raises(ipx.UnknownNameError, match="did you mean inpaint"):
        reg.find("inpant")
    with pytest.raises(ipx.OptionError, match=r"prior tv: unknown option isotropi; did you mean i"):
        reg.options("prior", "tv", {"isotropi": True})
