"""The files that nodes take: what is there, found, looked at and fetched."""
