"""Training: one loop for all models, ``ipx train``. Imports nothing heavy."""

from __future__ import annotations

from ipx.training.settings import Data, Training

__all__ = ["Data", "Training"]
