"""``--lam auto`` against the weight of least error, found with the truth (`--tuner oracle`).

    python tests/benchmarks/lam.py --json FILE [--minutes M]

Priors, operators and noise levels as below, on photographs that no rule was chosen on, with the
noise level told and not told. A case is one oracle and two automatic restorations. The cases come
in a random order, the same each time, those of the flow last. The file of ``--json`` is written
after each case, and cases that it holds are not measured again. The page is made of those that were
reached.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import photograph, publish
from torch import Tensor

import ipx

PHOTOGRAPHS = ("camera", "astronaut", "chelsea", "coffee")
PRIORS = ("tv", "wavelet", "smooth", "bm3d", "drunet", "glow-map")
OPERATORS: dict[str, dict[str, Any]] = {
    "identity": {"name": "identity"},
    "blur": {"name": "blur", "sigma": 1.6},
    "inpaint": {"name": "inpaint", "missing": 0.5},
    "super-resolution": {"name": "super-resolution", "factor": 2},
    "fourier": {"name": "fourier"},
    "tomography": {"name": "tomography"},
}
SIGMAS = (0.01, 0.03, 0.1)
WEIGHTS = {"glow-map": {"weights": "photos"}}
"""Options of priors; those of a flow by default are for faces."""

SLOW = {"glow-map": {"iterations": 30}}
"""Priors that come last, and their settings, for all restorations of a case."""

Row = dict[str, Any]


class Count(ipx.Observer):
    """Counts the solves of a restoration."""

    def __init__(self) -> None:
        self.solves = 0

    def begin(self, progress: ipx.Progress) -> None:
        """A solve begins."""
        self.solves += 1


def clean(name: str, prior: str) -> Tensor:
    """The photograph: 96 x 96, grey; 64 x 64 in colour for the flow, which takes no other."""
    if prior != "glow-map":
        return torch.from_numpy(photograph(name, 96)).float()[None, None]
    pixels = torch.from_numpy(photograph(name, 64, grey=False)).float()
    pixels = pixels[..., None].expand(64, 64, 3) if pixels.ndim == 2 else pixels
    return pixels.permute(2, 0, 1)[None].contiguous()


def measured(prior: str, op: str, sigma: float, name: str) -> Row:
    """PSNR, weight, rule, solves and CPU seconds of the oracle and of auto, told and not."""
    x, told = clean(name, prior), {"name": "gaussian", "sigma": sigma}
    y = ipx.degrade(x, op=OPERATORS[op], noise=told, seed=1)
    ways: dict[str, Row] = {
        "oracle": {"noise": told, "tuner": "oracle", "truth": x},
        "told": {"noise": told},
        "not told": {},
    }
    row: Row = {}
    for way, how in ways.items():
        count, began = Count(), time.process_time()
        found = ipx.solve(
            y, op=OPERATORS[op], prior={"name": prior, **WEIGHTS.get(prior, {})},
            observers=[count], **how, **SLOW.get(prior, {}),
        )  # fmt: skip
        row[way] = {
            "psnr": float(ipx.psnr(found.x, x)),
            "lam": found.lam and found.lam[0],
            "rule": found.rule,
            "level": found.level[0],
            "solves": count.solves,
            "seconds": time.process_time() - began,
        }
    return row


def cases() -> list[tuple[str, str, float, str]]:
    """All, shuffled, those of slow priors last."""
    every = list(itertools.product(PRIORS, OPERATORS, SIGMAS, PHOTOGRAPHS))
    random.Random(0).shuffle(every)
    return sorted(every, key=lambda case: case[0] in SLOW)


def title(case: tuple[str, str, float, str]) -> str:
    """``tv | blur | 0.01 | camera``."""
    return " | ".join(map(str, case))


def gaps(rows: dict[str, Row], way: str, keep: Callable[[str], bool]) -> list[float]:
    """dB below the oracle, of the cases to keep."""
    return [
        row["oracle"]["psnr"] - row[way]["psnr"]
        for name, row in rows.items()
        if "oracle" in row and keep(name)
    ]


def page(rows: dict[str, Row]) -> str:
    """Medians and worst cases by prior and by operator, then all above 0.5 dB."""
    done = {name: row for name, row in rows.items() if "oracle" in row}
    lines = [
        "The oracle is a search, too: its trials stop at a looser tolerance, and it may end in a "
        "local minimum, so that gaps can be negative.",
        "",
        f"{len(done)} of {len(cases())} cases were reached. dB below the oracle:",
        "",
    ]
    lines += [
        "| | cases | told: median | worst | not told: median | worst |",
        "|---|" * 1 + "---|" * 5,
    ]
    groups: list[tuple[str, Callable[[str], bool]]] = [("all", lambda name: True)]
    for i, words in enumerate((PRIORS, OPERATORS, SIGMAS)):
        for word in map(str, words):
            groups.append((word, lambda name, i=i, w=word: name.split(" | ")[i] == w))  # type: ignore[misc]
    for label, keep in groups:
        both = [gaps(done, way, keep) for way in ("told", "not told")]
        if both[0]:
            cells = [f"{f(g):+.2f}" for g in both for f in (statistics.median, max)]
            lines.append(f"| {label} | {len(both[0])} | {' | '.join(cells)} |")
    for way in ("told", "not told"):
        solves = [row[way]["solves"] for row in done.values()]
        every = gaps(done, way, lambda name: True)
        lines += [
            "",
            f"Sigma {way}: within 0.3 dB in {sum(g <= 0.3 for g in every)}, within 1 dB in "
            f"{sum(g <= 1 for g in every)} of {len(every)}; solves: median "
            f"{statistics.median(solves):g}, at most {max(solves)}.",
        ]
    both = [row[way]["solves"] for row in done.values() for way in ("told", "not told")]
    lines += ["", f"Both ways together: median {statistics.median(both):g} solves."]
    lines += [
        "",
        "More than 0.5 dB below the oracle:",
        "",
        "| case | way | dB | lam | best | rule |",
    ]
    lines += ["|---|---|---|---|---|---|"]
    for name, row in sorted(done.items()):
        for way in ("told", "not told"):
            gap, auto = row["oracle"]["psnr"] - row[way]["psnr"], row[way]
            if gap > 0.5:
                lams = f"{auto['lam']:.3g} | {row['oracle']['lam']:.3g}"
                case = name.replace(" | ", ", ")
                lines.append(f"| {case} | {way} | {gap:.2f} | {lams} | {auto['rule']} |")
    refused = [
        f"* {name.replace(' | ', ', ')}: {row['refused']}"
        for name, row in rows.items()
        if "refused" in row
    ]
    return "\n".join([*lines, *(["", "Refused:", "", *sorted(refused)] if refused else [])])


def main() -> None:
    """Measure until the time is over, then write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    asked = parser.parse_args()
    rows: dict[str, Row] = json.loads(asked.json.read_text()) if asked.json.exists() else {}
    ends = time.monotonic() + 60 * asked.minutes
    for case in cases():
        if title(case) in rows:
            continue
        if time.monotonic() > ends:
            break
        try:
            row = measured(*case)
        except ipx.IpxError as e:
            row = {"refused": str(e)}
        rows[title(case)] = row
        asked.json.write_text(json.dumps(rows, indent=1))
        told = (
            {way: f"{found['psnr']:.2f}" for way, found in row.items()} if "oracle" in row else row
        )
        print(title(case), told, flush=True)
    publish("lam", "The weight chosen without the truth", page(rows))


if __name__ == "__main__":
    main()
