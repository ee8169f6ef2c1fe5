"""Training: one loop for every model (`ipx train`). Importing this imports nothing heavy."""

from __future__ import annotations

from ipx.training.settings import Data, Training

__all__ = ["Data", "Training"]
