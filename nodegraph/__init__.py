"""The graph core: immutable graphs, planning by content key, cached execution. No Qt, no torch."""
