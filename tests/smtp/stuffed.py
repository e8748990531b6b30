"""What a client sends of a content after DATA, as RFC 5321 §4.5.2 puts it."""


def stuff(content: bytes) -> bytes:
    """*content*, lines or nothing, with doubled dots and the end."""
    if content.startswith(b"."):
        content = b"." + content
    return content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
