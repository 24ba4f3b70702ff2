"""The files that people have for their nodes: found in folders, indexed, searched, marked, fetched."""
