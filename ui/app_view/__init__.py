"""A workflow as a form, for people who do not want to see the graph."""
