"""Which attachments are documents that can be read, by content type or else by the name of the file.

Spec: RFC 2046 §4.5.1.  Status: complete.
"""

from typing import Final

_TYPES: Final = {
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-word.document.macroenabled.12": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.ms-excel.sheet.macroenabled.12": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.presentationml.slideshow": "pptx",
    "application/vnd.oasis.opendocument.text": "odf",
    "application/vnd.oasis.opendocument.spreadsheet": "odf",
    "application/vnd.oasis.opendocument.presentation": "odf",
    "application/xhtml+xml": "html",
    "application/json": "text",
    "application/xml": "text",
    "application/x-yaml": "text",
    "application/csv": "text",
}
_SUFFIXES: Final = {
    "pdf": "pdf", "docx": "docx", "docm": "docx", "xlsx": "xlsx", "xlsm": "xlsx", "pptx": "pptx", "ppsx": "pptx",
    "odt": "odf", "ods": "odf", "odp": "odf", "htm": "html", "html": "html", "xhtml": "html",
    "txt": "text", "csv": "text", "md": "text", "json": "text", "xml": "text", "yaml": "text", "yml": "text",
    "log": "text", "tex": "text", "ics": "text", "vcf": "text",
}  # fmt: skip
#: content types that say nothing: the name of the file does
_VAGUE: Final = frozenset(
    {
        "application/octet-stream",
        "application/x-download",
        "application/download",
        "binary/octet-stream",
    }
)


def kind_of(content_type: str, filename: str) -> str:
    """How to read it: "pdf", "docx", "xlsx", "pptx", "odf", "html" or "text"; "": not at all."""
    kind = _TYPES.get(content_type, "")
    if not kind and (content_type in _VAGUE or not content_type.startswith(("image/", "audio/"))):
        return _SUFFIXES.get(filename.rpartition(".")[2].lower(), "")
    return kind
