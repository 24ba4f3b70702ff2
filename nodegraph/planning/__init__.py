"""From a graph to the calls that compute it, each named by the key of its result."""
