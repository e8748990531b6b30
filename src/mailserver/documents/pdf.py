"""The text of PDF files, page by page.

Spec: ISO 32000-1 §9.  Status: what pypdf reads.
"""

import logging
from collections.abc import Iterator
from io import BytesIO

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from mailserver.documents.office import Unreadable

PAGES = 2_000  #: of one file

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it has much to say about broken files


def read(data: bytes) -> Iterator[str]:
    """The text in pieces.  Raises Unreadable; other exceptions, too, for what pypdf is not prepared for."""
    try:
        reader = PdfReader(BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("it is encrypted")
        count = min(len(reader.pages), PAGES)
    except PyPdfError as error:
        raise Unreadable(str(error)) from error
    for number in range(count):
        try:
            yield reader.pages[number].extract_text()
        except PyPdfError:
            continue  # the other pages may be better
        yield "\n"
