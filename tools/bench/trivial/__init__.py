"""Nodes that do next to nothing, for engines that are measured."""
