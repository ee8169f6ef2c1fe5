"""Further files of a restoration: panel, report, standard deviation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ipx.files import images
from ipx.files.atomic import check_folder, folder_for
from ipx.files.images import Picture
from ipx.files.panel import check_kind
from ipx.files.record import record_path
from ipx.jobs.reported import check_report
from ipx.solving.estimate import DEVIATION


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Files that are written besides the restored image; None for those not asked for.

    Attributes:
        panel: degraded, restored and truth side by side.
        report: a page in HTML.
        std: another file for the standard deviation of the draws.
    """

    panel: Path | None = None
    report: Path | None = None
    std: Path | None = None

    def check(self) -> None:
        """Check the kinds of panel and report.

        Raises:
            InputError: ipx writes no such file.
        """
        if self.panel is not None:
            check_kind(self.panel)
        if self.report is not None:
            check_report(self.report)

    @property
    def shown(self) -> str:
        """One of the files, in words; empty if none is asked for."""
        files = {"a panel": self.panel, "a report": self.report, "a deviation": self.std}
        return next((name for name, path in files.items() if path is not None), "")

    @property
    def named(self) -> dict[str, Path]:
        """The outputs of `ipx.Restoration` whose files are named by the user."""
        return {} if self.std is None else {DEVIATION: self.std}

    @contextmanager
    def folders(self, output: Path, like: Picture, dtype: str | None) -> Iterator[None]:
        """Make the folders of all files and of ``output``; an error removes those that were made.

        Args:
            output: the restored image.
            like: the image that it is like, see `ipx.files.images.encoded`.
            dtype: the type of its samples, likewise.

        Raises:
            InputError: a file cannot be written.
        """
        with ExitStack() as made:
            for path in (output, self.panel, self.std, self.report):
                made.enter_context(folder_for(path))
            if self.std is not None:
                images.output_type(self.std, dtype="float32")
            images.output_type(output, like, dtype)
            for path in filter(None, (record_path(output), self.panel, self.report)):
                check_folder(path)
            yield
