"""What is open: documents, what keeps them from being lost, and their files."""
