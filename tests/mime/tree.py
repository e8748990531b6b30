"""Walking the part tree."""

from mailserver.mime.layout import Part


def walk(root: Part) -> list[Part]:
    """All entities in the order of the message, the embedded messages' roots included."""
    found: list[Part] = []
    todo = [root]
    while todo:
        part = todo.pop()
        found.append(part)
        if part.message is not None:
            todo.append(part.message)
        todo.extend(reversed(part.children))
    return found
