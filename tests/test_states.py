"""States of solvers: plain values, which can be saved and gone on from elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ipx
import resumed


@pytest.mark.slow
def test_every_solver_goes_on_in_another_process_with_the_same_bits(tmp_path: Path) -> None:
    expected = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name, problem, solver in resumed.problems():
        state = resumed.go_on(problem, solver, solver.init(problem), resumed.STEPS)
        ipx.save_state(tmp_path / f"{name}.state", state)
        expected[name] = solver.solution(problem, resumed.go_on(problem, solver, state, 2))
    torch.set_num_threads(threads)
    without = {s.name for s in resumed.several_steps()} - set(expected)
    assert without <= {"lista", "unrolled-hqs", "feedforward"}, "solvers that were not tried"
    done = subprocess.run(
        [sys.executable, resumed.__file__, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name, problem, solver in resumed.problems():
        state = ipx.load_state(tmp_path / f"{name}.resumed")
        assert torch.equal(solver.solution(problem, state), expected[name]), name
