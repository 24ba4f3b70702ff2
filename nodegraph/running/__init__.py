"""From calls to results: the cache, the engine, and what the editor and the engine say to each other."""
