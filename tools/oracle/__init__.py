"""Every family against diffusers' own pipelines: the table in docs/oracle.md."""
