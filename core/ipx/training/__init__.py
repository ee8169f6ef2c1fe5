"""Training: one loop for all models, ``ipx train``. Imports nothing heavy."""

from __future__ import annotations

from ipx.training.settings import Data, Training, checkpoint_path

__all__ = ["Data", "Training", "checkpoint_path"]
