"""Hostile input for everything that reads: `python -m tools.fuzz` (or `make fuzz`) runs all readers for ten minutes.

A case is a function of (reader, seed, number) alone, so what was found can be made again:
`python -m tools.fuzz --only NAME --first NUMBER --count 1 --keep FOLDER`.
"""
