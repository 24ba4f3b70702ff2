"""The canvas: one widget that paints, plain objects for what is on it."""
