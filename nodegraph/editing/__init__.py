"""Edits that people make: pure functions from a graph to a graph."""
