"""The page and its parts as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, log10
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ipx import Ask, OperatorSpec, Options, SolveSettings, __version__
from ipx.declare.options import AUTO
from ipx.declare.registry import registry
from ipx.files.lookup import suffixes
from ipx.numerics.text import size_text
from ipx_plugins.web.asked import OFFERED, Asked, writable
from ipx_plugins.web.fits import Outlook
from ipx_plugins.web.forms import ROLES, Field, component_fields, fields
from ipx_plugins.web.jobs import Job
from ipx_plugins.web.retell import python, shell
from ipx_plugins.web.store import Upload

MAIN = ("op", "noise", "prior", "solver")
"""The roles that are always in view."""

USUAL = {"op": "identity", "noise": "gaussian", "prior": AUTO}
"""The components that are chosen at first; for other roles the first that is offered."""

LABELS = {
    "op": "Operator",
    "noise": "Noise",
    "prior": "Prior",
    "solver": "Solver",
    "tuner": "Rule for lam",
    "sampler": "Sampler",
}

Form = Mapping[str, Sequence[str]]


class Pages:
    """Renders the templates.

    Args:
        most: the largest upload in bytes.
        uploads: by their ids.
    """

    def __init__(self, most: int, uploads: Mapping[str, Upload]) -> None:
        self.most = most
        self.templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )
        self.templates.filters |= {"figure": figure, "size": size_text, "duration": duration}
        self.templates.globals["uploads"] = uploads

    def _made(self, name: str, **values: Any) -> str:
        return self.templates.get_template(f"{name}.html").render(**values)

    def whole(self, asked: Asked, found: Outlook, jobs: Sequence[Job]) -> str:
        """The page as it is at first; ``jobs``: earlier restorations, of a page that was closed."""
        return self._made(
            "whole",
            jobs=jobs,
            version=__version__,
            most=self.most,
            accept=",".join(suffixes()),
            roles=[self._role(role, found, {}) for role in LABELS],
            main=MAIN,
            settings=[f for f in fields("settings", SolveSettings) if _last(f.name) in OFFERED],
            writable=writable(),
            form={},
            **self._planned(asked, found),
        )

    def picture(self, upload: Upload, form: Form) -> str:
        """An uploaded picture; ``form``: choices that suit it."""
        choices = [self._role(role, None, form) for role in LABELS if role in form]
        return self._made("picture", upload=upload, facts=upload.facts, roles=choices, form=form)

    def chosen_file(self, entry: str, upload: Upload) -> str:
        """A file for an option."""
        return self._made("chosen", entry=entry, upload=upload)

    def plan(self, asked: Asked, found: Outlook, form: Form) -> str:
        """The plan, the marks of what fits, and the options of components that are new."""
        roles = [self._role(role, found, form) for role in LABELS]
        return self._made("planned", roles=roles, form=form, **self._planned(asked, found))

    def _planned(self, asked: Asked, found: Outlook) -> dict[str, Any]:
        told = asked.picture is not None
        return {
            "found": found,
            "fitting": sum(mark != "refused" for _, mark, _ in found.solvers),
            "ready": told and not found.refused,
            "shell": shell(asked) if told else "",
            "python": python(asked) if told else "",
        }

    def _role(self, role: str, found: Outlook | None, form: Form) -> dict[str, Any]:
        """What the templates show of a role."""
        groups = found.groups[role] if found is not None else {"": _names(role)}
        first = next(iter(groups.values()))[0]
        name = [*form.get(role, ()), ""][0] or USUAL.get(role, first)
        automatic = name == AUTO and name not in registry().names(ROLES[role])
        spec = None if automatic else registry().get(ROLES[role], name)
        every = component_fields(role, name)
        near = _near(spec, every, form)
        shown = f"{name} {' '.join(near)}"
        return {
            "role": role,
            "label": LABELS[role],
            "name": name,
            "groups": groups,
            "titles": {n: _title(role, n) for group in groups.values() for n in group},
            "summary": "The best that fits." if spec is None else spec.summary,
            "source": "" if spec is None else spec.source,
            "near": [f for f in every if _last(f.name) in near],
            "more": [f for f in every if _last(f.name) not in near],
            "shown": shown,
            "new": shown not in form.get(f"shown.{role}", ()),
        }

    def foreseen(self, found: Mapping[str, Any]) -> str:
        """Memory and time."""
        return self._made("foreseen", found=found)

    def job(self, job: Job, ahead: int) -> str:
        """How a restoration stands; ``ahead``: the number of those before it."""
        return self._made(
            "job",
            job=job,
            ahead=ahead,
            report=job.report,
            row=job.row,
            files=[(key, name) for key, (_, name) in job.files().items()],
            points=curve(job.curve),
            shell=shell(job.asked),
            python=python(job.asked),
        )

    def error(self, line: str) -> str:
        """A line on what is wrong."""
        return self._made("error", line=line)


def _names(role: str) -> list[str]:
    return registry().names(ROLES[role])


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _title(role: str, name: str) -> str:
    """The name of a component, with its plugin if that does not come with ipx."""
    if name == AUTO and name not in _names(role):
        return AUTO
    spec = registry().get(ROLES[role], name)
    foreign = any(p.name == spec.plugin and not p.builtin for p in registry().plugins)
    return f"{name} ({spec.plugin})" if foreign and "/" not in name else name


def _near(spec: Any, every: Sequence[Field], form: Form) -> list[str]:
    """The options in view: the first, those without default, those that real data ask for."""
    names = [_last(f.name) for f in every]
    asked: set[str] = {_last(f.name) for f in every if f.required}
    if isinstance(spec, OperatorSpec):
        ask = _ask(spec, every, form)
        asked |= set() if ask is None else {*ask.options, *ask.files}
    return [n for k, n in enumerate(names) if k == 0 or n in asked]


def _ask(spec: OperatorSpec, every: Sequence[Field], form: Form) -> Ask | None:
    """What real data must be told, with the choices that were made."""
    chosen = {
        _last(f.name): form[f.name][-1] for f in every if f.kind == "choice" and f.name in form
    }
    try:
        options: Options = spec.options(**{k: v for k, v in chosen.items() if v})
    except ValueError:  # a wrong value, or an option without default
        return None
    return spec.asks(options)


def curve(points: Sequence[tuple[int, float]]) -> str:
    """Points of a polyline in a box of 300 x 60: the logarithm of the objective over the steps."""
    sound = [(k, log10(v)) for k, v in points if isfinite(v) and v > 0]
    if len(sound) < 3:
        return ""
    steps, values = zip(*sound, strict=True)
    low, high = min(values), max(values)
    wide, tall = max(steps[-1] - steps[0], 1), max(high - low, 1e-12)
    return " ".join(
        f"{300 * (k - steps[0]) / wide:.1f},{57 - 54 * (v - low) / tall:.1f}" for k, v in sound
    )


def figure(value: Any) -> str:
    """A number with four digits; several are joined."""
    if isinstance(value, list | tuple):
        return " + ".join(map(figure, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """``0.4 s``, ``42 s``, ``3 min``, ``2.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 9.5 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
