"""Widgets that lie over the canvas for a while."""
