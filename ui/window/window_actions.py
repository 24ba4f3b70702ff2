"""What the window can do, as a table. The canvas has its own: `ui.canvas.actions`."""

from __future__ import annotations

from functools import partial

from ui.actions.table import Action
from ui.base import theme
from ui.window.shell import Shell

TEXT_STEP = 0.1


def window_actions(window: Shell) -> tuple[Action, ...]:
    return (*_file(window), *_edit(window), *_run(window), *_view(window), *_help(window))


def theme_action(name: str) -> str:
    """The id of the action that chooses this theme."""
    return f"view.theme_{name.split()[0].lower()}"


def _file(window: Shell) -> tuple[Action, ...]:
    tabs = window.tabs
    return (
        Action("file.new", "New", tabs.new, "Ctrl+N", "An empty document in a new tab"),
        Action("file.template", "New from template…", tabs.ask_template, "Ctrl+Shift+N", "Start from a workflow"),
        Action("file.open", "Open…", window.ask_open, "Ctrl+O",
               "Open a workflow, or a picture made by one; pictures and models become nodes"),
        Action("file.save", "Save", tabs.save_soon, "Ctrl+S", "Save the workflow in its file"),
        Action("file.save_as", "Save as…", lambda: tabs.save_as(), "Ctrl+Shift+S", "Save the workflow in another file"),
        Action("file.save_template", "Save as template…", lambda: tabs.ask_save_template(),
               tip="Keep a copy of this workflow to start from"),
        Action("file.save_picture", "Save the picture…", lambda: window.preview.ask_save(), "Ctrl+Alt+S",
               "Save what the preview shows, with its workflow inside"),
        *_remedies(window),
        Action("file.close", "Close", lambda: tabs.close_tab(tabs.current), "Ctrl+W", "Close this document"),
        Action("file.quit", "Quit", window.close, "Ctrl+Q", "Close the program"),
    )  # fmt: skip


def _remedies(window: Shell) -> tuple[Action, ...]:
    """What no workflow brings, for who looks for it before a problem offers it."""
    return tuple(
        Action(f"file.{name}", f"{remedy.title}…", partial(window.show_remedy, name),
               tip=f"{remedy.choose.removesuffix('…')}, or have it fetched")
        for name, remedy in window.remedies.declared.items()
    )  # fmt: skip


def _edit(window: Shell) -> tuple[Action, ...]:
    return (
        Action("edit.undo", "Undo", lambda: window.document.undo_stack.undo(), "Ctrl+Z"),
        Action("edit.redo", "Redo", lambda: window.document.undo_stack.redo(), "Ctrl+Shift+Z; Ctrl+Y"),
        Action("edit.copy_picture", "Copy the picture", lambda: window.preview.copy(), "Ctrl+Alt+C",
               "Put what the preview shows on the clipboard"),
        Action("edit.find_action", "Find an action…", window.find_action, "Ctrl+Shift+P; F3",
               "Type what you want to do"),
        Action("edit.settings", "Settings…", lambda: window.edit_settings(), "Ctrl+,",
               "Output folder, device, results that are kept, network, numbers"),
        Action("edit.keys", "Keys…", window.edit_keys, "Ctrl+K", "Change which keys do what"),
    )  # fmt: skip


def _run(window: Shell) -> tuple[Action, ...]:
    return (
        Action("run.all", "Run", lambda: window.run(), "Ctrl+Return", "Compute what changed; keep the rest"),
        Action("run.selected", "Run to the selected nodes", window.run_selected, "Ctrl+Shift+Return",
               "Compute no more than these nodes need"),
        Action("run.queue", "Queue a run", lambda: window.runner.enqueue(), "Alt+Return",
               "Run the graph as it is now when its turn comes"),
        Action("run.stop", "Stop", lambda: window.runner.stop(), "Esc", "Stop; finished steps are kept"),
        Action("run.live", "Live", window.set_live, "Ctrl+L", "Run after every edit", checkable=True),
        Action("run.last_seed", "Use the last seed", lambda: window.runner.use_last_seeds(), "Ctrl+Shift+L",
               "Put back the seeds of the latest finished run, and keep them"),
        *(
            Action(f"run.seeds_{count}", f"× {count}", partial(window.try_seeds, count), key,
                   f"{count} pictures, each of another seed, to choose from", submenu="New seeds")
            for count, key in ((4, "Alt+Shift+Return"), (9, ""), (16, ""))
        ),
        Action("run.device", "Device…", window.choose_device, tip="Choose what computes, and in which precision"),
    )  # fmt: skip


def _view(window: Shell) -> tuple[Action, ...]:
    settings, text = window.settings, "Text size"
    themes = tuple(
        Action(theme_action(name), name, partial(settings.change, theme=name),
               tip=f"Use the {name.lower()} theme", submenu="Theme", group="theme")
        for name in theme.THEMES
    )  # fmt: skip
    return (
        Action("view.app", "App view", window.show_app, "F9",
               "A plain form and its pictures instead of the graph", checkable=True),
        Action("view.full_screen", "Full screen", window.show_full_screen, "F11",
               "Nothing on the screen but the program", checkable=True),
        Action("view.panels", "Hide or show all panels", window.docks.toggle_all, "Shift+F11",
               "Give the graph all the room, and bring back the panels that were shown"),
        Action("view.side_bar", "Side bar", lambda on: window.settings.change(side_bar=on),
               tip="Icons at the left edge that show and hide panels", checkable=True),
        Action("view.tabs", "All open documents", lambda: window.tabs.list_documents(), tip="Go to one by its name"),
        Action("view.next_tab", "Next document", partial(window.tabs.step, 1), "Ctrl+Tab"),
        Action("view.previous_tab", "Previous document", partial(window.tabs.step, -1), "Ctrl+Shift+Tab"),
        Action("view.pin_a", "Compare: this is A", lambda: window.preview.pin("a"), "Ctrl+Shift+1",
               "Compare the picture that the preview shows with another", submenu="Preview"),
        Action("view.pin_b", "Compare: this is B", lambda: window.preview.pin("b"), "Ctrl+Shift+2",
               "Compare another picture with the one that the preview shows", submenu="Preview"),
        Action("view.viewer", "Picture on the whole screen", window.show_viewer, "Ctrl+F11",
               "What the preview shows; the arrow keys go on to other results, Esc ends it", submenu="Preview"),
        Action("view.preview_fit", "Fit the picture", lambda: window.preview.view.fit(), "Ctrl+Alt+0",
               "Show the whole picture", submenu="Preview"),
        Action("view.preview_actual", "Actual size", lambda: window.preview.view.show_actual(), "Ctrl+Alt+1",
               "Show one pixel of the picture as one of the screen", submenu="Preview"),
        *themes,
        Action("view.text_larger", "Larger", partial(window.scale_text, TEXT_STEP), "Ctrl++; Ctrl+=",
               "Make the text of the panels larger", submenu=text),
        Action("view.text_smaller", "Smaller", partial(window.scale_text, -TEXT_STEP), "Ctrl+-",
               "Make the text of the panels smaller", submenu=text),
        Action("view.text_normal", "Normal", partial(settings.change, text_scale=1.0), "Ctrl+0",
               "Give the text of the panels its normal size", submenu=text),
    )  # fmt: skip


def _help(window: Shell) -> tuple[Action, ...]:
    return (
        Action("help.guide", "User guide", partial(_show_guide, window), "F1", "What the program does, and how"),
        Action("help.tour", "Take the tour", partial(_take_tour, window), tip="Be led to a first picture of your own"),
        Action("help.about", "About Denoodle", partial(_show_about, window), tip="Which version this is"),
    )


def _show_guide(window: Shell) -> None:
    from ui.window.help import GuideDialog

    GuideDialog(window).show()


def _take_tour(window: Shell) -> None:
    from ui.window.tour import take_tour

    take_tour(window)


def _show_about(window: Shell) -> None:
    from ui.window.help import show_about

    show_about(window)
