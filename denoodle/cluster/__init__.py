"""Sweeps on a Ray cluster: `worker` is what runs there, `driver` what hands out cells, `cluster` what knows Ray."""
