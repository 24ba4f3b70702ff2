"""A long working day, made short: random work in a real window, and what it leaves behind in memory."""
