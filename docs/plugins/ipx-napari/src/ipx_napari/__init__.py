"""Image restoration with ipx in napari."""
