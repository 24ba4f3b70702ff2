"""Commands and a window at once on one cache and one output folder."""
