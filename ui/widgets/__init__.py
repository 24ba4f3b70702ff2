"""Widgets and pictures that any room may use."""
