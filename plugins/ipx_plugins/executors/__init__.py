"""Executors of batches: processes of this machine, and Dask."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import ExecutorSpec, hookimpl


@hookimpl
def ipx_components() -> Iterable[ExecutorSpec]:
    """Declare the executors."""
    return [
        ExecutorSpec(
            name="processes",
            target="ipx_plugins.executors.processes:Processes",
            summary="Processes of this machine, of one thread each; a dead one is replaced.",
            advice="Take as many as there are cores, if memory holds as many pictures at once.",
        ),
        ExecutorSpec(
            name="dask",
            target="ipx_plugins.executors.dask:Dask",
            clusters=("local", "slurm", "tcp://", "tls://"),
            extra="dask",
            summary="Workers of Dask: of a scheduler, of this machine, or of a Slurm cluster.",
            advice="Take it for several machines that share a disk.",
            source="Rocklin, Dask: parallel computation with blocked algorithms, SciPy 2015",
        ),
    ]
