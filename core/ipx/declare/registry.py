"""Finding plugins and the components in them.

Entry points are loaded one by one: a broken plugin is recorded with its traceback and breaks
nothing else. Importing this module loads no plugin; the first call of `registry` does.
"""

from __future__ import annotations

import importlib.metadata
import os
import traceback
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import pluggy

from ipx.declare import hooks as hookspecs
from ipx.declare.adapters import BUILTIN
from ipx.declare.capabilities import methods
from ipx.declare.faults import fault, fault_of_init
from ipx.declare.hooks import GROUP
from ipx.declare.kinds import KINDS
from ipx.declare.options import Options
from ipx.declare.specs import NAME, AdapterSpec, SolverSpec, Spec
from ipx.errors import OptionError, PluginError, UnknownNameError, did_you_mean

DISTRIBUTION = "ipx-toolbox"
CORE = "ipx"  # plugin name of the core's own bridges


@dataclass(frozen=True)
class PluginInfo:
    """A plugin that was found, loaded or not.

    ``status`` is ``"ok"``, ``"broken"`` or ``"disabled"``; ``error`` is one line, ``trace`` the
    traceback (empty when there is none).
    """

    name: str
    target: str
    distribution: str
    version: str
    status: str
    error: str = ""
    trace: str = ""

    @property
    def builtin(self) -> bool:
        """True for the plugins that come with ipx."""
        return self.distribution == DISTRIBUTION

    def owns(self, module: str) -> bool:
        """True if a module is part of the plugin's package."""
        home = self.target.partition(":")[0]
        top = home if self.builtin else home.partition(".")[0]
        return f"{module}.".startswith(f"{top}.")


@dataclass
class Registry:
    """All plugins and their components."""

    plugins: list[PluginInfo] = field(default_factory=list)
    specs: dict[str, dict[str, Spec]] = field(default_factory=lambda: {k: {} for k in KINDS})
    manager: pluggy.PluginManager = field(default_factory=lambda: pluggy.PluginManager("ipx"))
    _by_target: dict[str, list[Spec]] = field(default_factory=dict)
    _sorted: dict[str, list[Spec]] = field(default_factory=dict)
    _by_name: dict[str, dict[str, list[Spec]]] = field(default_factory=dict)
    _bridges: dict[tuple[type, str, frozenset[type], bool], AdapterSpec | None] = field(
        default_factory=dict
    )

    def add(self, info: PluginInfo, specs: Iterable[Spec] = ()) -> None:
        """Record a plugin and its components."""
        self.plugins.append(info)
        for index in (self._sorted, self._by_name, self._bridges):  # made again when asked for
            index.clear()
        for spec in specs:
            self.specs[spec.kind][spec.id] = spec
            self._by_target.setdefault(spec.target, []).append(spec)

    @property
    def broken(self) -> list[PluginInfo]:
        """The plugins that could not be used."""
        return [p for p in self.plugins if p.status == "broken"]

    def all(self, kind: str) -> list[Spec]:
        """The components of one kind, built-in ones first, sorted by name."""
        if kind not in self._sorted:  # planning asks often
            builtin = self._builtin()
            self._sorted[kind] = sorted(
                self.specs[kind].values(),
                key=lambda s: (s.plugin not in builtin, s.name, s.plugin),
            )
        return list(self._sorted[kind])

    def bridge(
        self, gives: type, side: str, available: frozenset[type], exact_only: bool = False
    ) -> AdapterSpec | None:
        """The best bridge to a capability: exact first, then by rank; None if none fits.

        Args:
            gives: the capability.
            side: ``data`` or ``prior``.
            available: what the side has.
            exact_only: leave out bridges that approximate.
        """
        key = (gives, side, available, exact_only)
        if key not in self._bridges:  # a matrix of everything asks half a million times
            fitting = [
                a
                for a in self.all("adapter")
                if isinstance(a, AdapterSpec)
                and (a.gives, a.side) == (gives, side)
                and available.issuperset(a.needs)
                and not available.intersection(a.lacks)
                and (a.exact or not exact_only)
            ]
            best = max(fitting, key=lambda a: (a.exact, a.rank, a.name), default=None)
            self._bridges[key] = best
        return self._bridges[key]

    def _named(self, kind: str, name: str) -> list[Spec]:
        """The components with a bare name, sorted as by `all`."""
        if kind not in self._by_name:
            table: dict[str, list[Spec]] = {}
            for spec in self.all(kind):
                table.setdefault(spec.name, []).append(spec)
            self._by_name[kind] = table
        return self._by_name[kind].get(name, [])

    def names(self, kind: str) -> list[str]:
        """The shortest name that `get` accepts for each component of a kind."""
        out = []
        for spec in self.all(kind):
            rivals = self._named(kind, spec.name)
            first = rivals[0] is spec and self._wins(rivals)
            out.append(spec.name if first else spec.id)
        return out

    def _wins(self, rivals: list[Spec]) -> bool:
        """True if the bare name means the first of these: it is the only one, or built in."""
        return len(rivals) == 1 or rivals[0].plugin in self._builtin()

    def _builtin(self) -> set[str]:
        return {CORE, *(p.name for p in self.plugins if p.builtin)}

    def get(self, kind: str, name: str) -> Spec:
        """The declaration of a component, by bare name or by ``plugin/name``.

        Raises:
            UnknownNameError: no component or several have this name; says which names exist.
        """
        table = self.specs[kind]
        if name in table:
            return table[name]
        rivals = self._named(kind, name)
        if rivals and self._wins(rivals):
            return rivals[0]
        if rivals:
            ids = ", ".join(sorted(s.id for s in rivals))
            raise UnknownNameError(f"{kind} {name} is in several plugins; say which: {ids}")
        names = self.names(kind)
        message = f"no {kind} is called {name}{did_you_mean(name, names)}"
        listed = f" (there are: {', '.join(names)})" if names else ""
        raise UnknownNameError(message + self._elsewhere(name) + listed + self._broken_hint())

    def _elsewhere(self, name: str) -> str:
        """The kinds that have this name, for errors."""
        kinds = [kind for kind in KINDS if name in self.specs[kind] or self._named(kind, name)]
        return f"; it is the name of a {' and a '.join(kinds)}" if kinds else ""

    def find(self, name: str) -> list[Spec]:
        """Components of any kind with this name or id."""
        found = []
        for kind in KINDS:
            try:
                found.append(self.get(kind, name))
            except UnknownNameError as e:
                if "several plugins" in str(e):
                    raise
        if not found:
            every = {n for k in KINDS for n in self.names(k)}
            raise UnknownNameError(
                f"no component is called {name}{did_you_mean(name, every)}; "
                "ipx list shows them all" + self._broken_hint()
            )
        return found

    def of_plugin(self, plugin: str) -> list[Spec]:
        """The components of a plugin."""
        return [spec for kind in KINDS for spec in self.all(kind) if spec.plugin == plugin]

    def options(self, kind: str, name: str, values: Mapping[str, Any]) -> Options:
        """Checked options for a component; error lines start with ``kind name:``."""
        spec = self.get(kind, name)
        try:
            return spec.options.from_mapping(values)
        except OptionError as e:
            raise OptionError(f"{kind} {name}: {e}") from None

    def create(self, spec: Spec, *args: Any, options: Options | None = None) -> Any:
        """Make a component after checking its class against the declaration.

        Raises:
            PluginError: the class is not what the declaration promises, or cannot be made.
        """
        options = options if options is not None else spec.options()
        cls = spec.load()
        promised = frozenset(c for c in spec.capabilities(options) if methods(c))
        if wrong := fault(cls, spec.kind, promised):
            raise PluginError(f"{spec.origin}: {wrong}; this is the plugin's error")
        made = cls.__new__(cls)
        vars(made)["declaration"] = spec  # another may share class and options
        try:
            made.__init__(*args, options)
        except TypeError:
            if wrong := fault_of_init(cls, spec.kind, len(args) + 1):
                raise PluginError(f"{spec.origin}: {wrong}; this is the plugin's error") from None
            raise
        vars(made)["ready"] = True
        return made

    def declared(self, cls: type, options: Options) -> Spec | None:
        """The declaration of a class; where several share it, the one with these options."""
        specs = self._by_target.get(f"{cls.__module__}:{cls.__qualname__}", [])
        exact = [s for s in specs if s.options is type(options)]
        return next(iter(exact or specs), None)

    def culprit(self, error: BaseException) -> PluginInfo | None:
        """The plugin in whose code an error arose: that of the innermost frame of any plugin."""
        found, trace = None, error.__traceback__
        while trace is not None:
            module = str(trace.tb_frame.f_globals.get("__name__"))
            found = next((p for p in self.plugins if p.owns(module)), found)
            trace = trace.tb_next
        return found

    def _broken_hint(self) -> str:
        if not self.broken:
            return ""
        return f"; {self.told_broken()}"

    def told_broken(self) -> str:
        """The names of the broken plugins in a line, which ends with where the reasons are."""
        names = ", ".join(p.name for p in self.broken)
        word = "plugin is" if len(self.broken) == 1 else "plugins are"
        return f"{len(self.broken)} {word} broken ({names}): see ipx doctor"


def _declared(module: object, name: str, manager: pluggy.PluginManager) -> list[Spec]:
    """Register a plugin module and return its checked declarations."""
    manager.register(module, name)
    manager.check_pending()  # a hook that does not exist
    for call in manager.get_hookcallers(module) or []:
        for impl in call.get_hookimpls():
            if impl.plugin_name == name and call.spec is not None:
                manager._verify_hook(call, impl)  # wrong arguments
    callers = manager.get_hookcallers(module) or []
    if not callers:
        raise PluginError("it implements no hook of ipx; define ipx_components() with @hookimpl")
    specs: list[Spec] = []
    components = getattr(module, "ipx_components", None)
    for spec in (components() or ()) if components is not None else ():
        if type(spec) not in [kind.spec for kind in KINDS.values()]:
            raise PluginError(f"ipx_components() returned {spec!r}, which is not a Spec")
        if not NAME.match(spec.name):
            raise PluginError(f"{spec.name!r} is not a component name: use [a-z0-9-]+")
        if not (isinstance(spec.options, type) and issubclass(spec.options, Options)):
            raise PluginError(f"the options of {spec.name} are not a subclass of ipx.Options")
        spec.options.infos()  # raises when they cannot be read
        if ":" not in spec.target:
            raise PluginError(f"target {spec.target!r} of {spec.name} is not 'module:Class'")
        if isinstance(spec, SolverSpec) and not spec.needs:
            raise PluginError(f"solver {spec.name} does not say what it needs")
        if any(s.name == spec.name and s.kind == spec.kind for s in specs):
            raise PluginError(f"{spec.kind} {spec.name} is declared twice")
        specs.append(replace(spec, plugin=name))
    return specs


def load(entry_points: Iterable[importlib.metadata.EntryPoint] | None = None) -> Registry:
    """Find and load all plugins into a new registry.

    Args:
        entry_points: those to load; all that are installed by default.
    """
    reg = Registry()
    reg.manager.add_hookspecs(hookspecs)
    for spec in BUILTIN:
        own = replace(spec, plugin=CORE)
        reg.specs[own.kind][own.id] = own
    if entry_points is None:
        every = importlib.metadata.entry_points()
        groups = sorted(g for g in every.groups if g.startswith("ipx.v"))
        entry_points = [e for g in groups for e in every.select(group=g)]
    off = {n.strip() for n in os.environ.get("IPX_DISABLE_PLUGINS", "").split(",") if n.strip()}
    for entry in sorted(entry_points, key=_order):
        dist = entry.dist
        name, version = (dist.name, dist.version) if dist is not None else ("", "")
        info = PluginInfo(entry.name, entry.value, name, version, "ok")
        if entry.name in off:
            reg.add(replace(info, status="disabled"))
        else:
            _take(reg, entry, info)
    return reg


def _order(entry: importlib.metadata.EntryPoint) -> tuple[bool, str, str]:
    """Built-in plugins first."""
    return (entry.dist is None or entry.dist.name != DISTRIBUTION, entry.name, entry.value)


def _take(reg: Registry, entry: importlib.metadata.EntryPoint, info: PluginInfo) -> None:
    """Load one plugin; a failure is recorded."""
    try:
        if entry.group != GROUP:
            raise PluginError(f"it is written for {entry.group}; this ipx has {GROUP}")
        if any(p.name == entry.name for p in reg.plugins):
            raise PluginError("another plugin of this name is loaded already")
        module = entry.load()
        if not isinstance(module, types.ModuleType):
            raise PluginError(f"{entry.value} is not a module")
        specs = _declared(module, entry.name, reg.manager)
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as e:  # a plugin may even call sys.exit; nothing may break ipx
        taken = any(p.name == entry.name and p.status == "ok" for p in reg.plugins)
        if reg.manager.get_plugin(entry.name) is not None and not taken:
            reg.manager.unregister(name=entry.name)
        line = str(e) if isinstance(e, PluginError) else f"{type(e).__name__}: {e}"
        told = {"error": " ".join(line.split()), "trace": traceback.format_exc()}
        reg.add(replace(info, status="broken", **told))
    else:
        reg.add(info, specs)


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The registry of everything installed, loaded once per process."""
    return load()
