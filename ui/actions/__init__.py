"""What people can do, as a table, and the keys, menus and search that are made from it."""
