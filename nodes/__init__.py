"""The nodes that come with the program: declarations here, numerics in `nodes.backend`."""
