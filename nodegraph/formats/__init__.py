"""Files that hold graphs: read, written, and told from other files."""
