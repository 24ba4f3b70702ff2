"""What people can do, as a table, and the keys, menus and search that are made from it.

The rows are where they are done: `ui.window.window_actions`, `ui.canvas.actions` and `ui.window.panels`.
"""
