"""What ``ipx info`` teaches besides the declaration: what a component costs, and an example."""

from __future__ import annotations

from collections.abc import Iterator

from ipx.declare.facts import Gain
from ipx.declare.kinds import KINDS
from ipx.declare.registry import registry
from ipx.declare.specs import ModelSpec, OperatorSpec, Spec, TunerSpec
from ipx.errors import IpxError, OptionError
from ipx.planning.choice import short
from ipx.planning.request import Request
from ipx.planning.settings import SolveSettings

PICTURE, K_SPACE = "photo.png", "k-space.npy"
"""The picture of the examples."""


def cost(spec: Spec) -> str:
    """Time and memory, as far as they are declared; empty where nothing is."""
    said = []
    times = [g.seconds for g in spec.gains if g.seconds]
    if times:
        least, most = min(times), max(times)
        span = f"{least:g}" if least == most else f"{least:g} to {most:g}"
        said.append(f"about {span} s for 128 x 128 pixels on one core")
    try:
        facts = spec.traits_for()
    except OptionError:
        return ", ".join(said)
    if facts.buffers is not None or facts.maps:
        arrays = [f"{facts.buffers or 0:g} pictures"] if facts.buffers else []
        arrays += [f"{facts.maps:g} arrays of one channel"] if facts.maps else []
        said.append(f"memory of {' and '.join(arrays)}" if arrays else "no memory of its own")
    return ", ".join(said)


def gains(spec: Spec) -> list[tuple[str, str]]:
    """The rows of what was measured."""
    return [("measured", _gain(gain)) for gain in spec.gains]


def _gain(gain: Gain) -> str:
    if gain.reference:
        return "the reference that others are compared with"
    where = f"{', '.join(gain.operators) or 'all'} under {', '.join(gain.noises) or 'any'} noise"
    return f"{gain.psnr:+.2f} dB over total variation for {where} (docs/{gain.where})"


def example(spec: Spec) -> str:
    """A command that uses a component and that runs on a picture; empty for kinds without a role.

    It is the first that has a plan: with identity, else with another operator.
    """
    role = KINDS[spec.kind].role
    if not role:
        return ""
    for request, words in _tries(spec, role):
        try:
            rule = request.rule(request.plan(), truth=True)
        except IpxError:
            continue
        if role == "tuner" and not rule.tuners:  # there is no weight to find
            continue
        is_complex = request.tree("op").facts.traits.complex
        return " ".join(["ipx solve", K_SPACE if is_complex else PICTURE, *words])
    return ""


def _tries(spec: Spec, role: str) -> Iterator[tuple[Request, list[str]]]:
    """Requests with the component, and their options, the simplest first."""
    name, reg = short(spec), registry()
    more = [f"--{role}.{n.replace('_', '-')} {n.upper()}" for n in _demanded(spec)]
    own = [f"--{role} {name}", *more]
    weights = _weights(spec)
    if weights and _untrained(spec):
        own.append(f"--{role}.{weights.replace('_', '-')} FILE")
    if isinstance(spec, TunerSpec) and all(need.truth for need in spec.needs):
        own.append("--truth clean.png")
    if role == "sampler":
        own.append("--interval 90")
    table = {"name": name, **dict.fromkeys(_demanded(spec), 0.0)}
    priors: list[str | None] = [None]
    if role != "prior":  # networks last: their weights may be for other pictures
        priors += sorted(reg.names("prior"), key=lambda n: bool(_weights(reg.get("prior", str(n)))))
    for prior in priors:
        for op in [name] if role == "op" else ["identity", *reg.names("operator")]:
            words = [*_described(op)] if op != "identity" or role == "op" else []
            words += own if role != "op" else []
            words += [f"--prior {prior}"] if prior else []
            yield _request(role, table, op, prior), words


def _weights(spec: Spec) -> str:
    """The option that names the weights of a trained component; empty for others."""
    return next((info.name for info in spec.options.infos().values() if info.weights), "")


def _request(role: str, table: dict[str, object], op: str, prior: str | None) -> Request:
    settings = {"interval": 90.0} if role == "sampler" else {}
    parts: dict[str, object] = {"op": {"name": op}}
    if prior:
        parts["prior"] = {"name": prior}
    return Request(**{**parts, role: table}, settings=SolveSettings(**settings))  # type: ignore[arg-type]  # tables


def _described(op: str) -> Iterator[str]:
    """The operator, with what real data must tell of it."""
    yield f"--op {op}"
    spec = registry().get("operator", op)
    try:
        ask = spec.asks(spec.options()) if isinstance(spec, OperatorSpec) else None
    except OptionError:
        ask = None
    if ask is None:
        return
    infos = spec.options.infos()
    if ask.files and not ask.guess:
        yield f"--op.{ask.files[0].replace('_', '-')} FILE"
        return
    for name in ask.options:
        value = infos[name].default
        yield (
            f"--op.{name.replace('_', '-')} {value:g}"
            if isinstance(value, float)
            else (f"--op.{name.replace('_', '-')} {value}")
        )


def _untrained(spec: Spec) -> bool:
    """True if the model of this name, or one that an option names, comes without weights."""
    named = {spec.name, *(info.default for info in spec.options.infos().values())}
    models = [m for m in registry().all("model") if m.name in named]
    return any(isinstance(m, ModelSpec) and not m.weights for m in models)


def _demanded(spec: Spec) -> list[str]:
    return [i.name for i in spec.options.infos().values() if i.required]
