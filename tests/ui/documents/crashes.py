"""What happens to documents before a program ends by accident, and how it ends."""

from ui.documents.document import Document
from ui.documents.session import Session


def crash(session: Session) -> None:
    """What a kill leaves behind: journals, and locks that nobody holds."""
    session.flush()
    for kept in session._open:
        kept.lock.unlock()
        if kept.document.path:
            session._watch.leave(kept.document.path)
    session._open.clear()


def edited(document: Document) -> Document:
    document.set_param("left", "value", 5.0)
    return document
