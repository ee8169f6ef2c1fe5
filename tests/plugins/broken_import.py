"""A plugin whose import fails."""

import surely_not_installed  # noqa: F401
