"""Documents as programs write them, made by hand, and some that nobody's program would write."""

import io
import zipfile
import zlib
from collections.abc import Callable

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def archive(members: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def docx(*paragraphs: str) -> bytes:
    """Each word of a paragraph in a run of its own, cut in the middle, as Word does after corrections."""
    body = ""
    for text in paragraphs:
        half = len(text) // 2
        runs = "".join(
            f"<w:r><w:rPr><w:b/></w:rPr><w:t xml:space='preserve'>{part}</w:t></w:r>"
            for part in (text[:half], text[half:])
        )
        body += f"<w:p>{runs}</w:p>"
    return archive(
        {
            "[Content_Types].xml": "<Types/>",
            "word/document.xml": "<?xml version='1.0' encoding='UTF-8'?>"
            f"<w:document {W}><w:body>{body}</w:body></w:document>",
            "word/media/image1.png": b"\x89PNG",
        }
    )


def xlsx(*cells: str) -> bytes:
    strings = "".join(f"<si><t>{cell}</t></si>" for cell in cells)
    return archive(
        {
            "xl/sharedStrings.xml": f"<sst>{strings}</sst>",
            "xl/worksheets/sheet1.xml": "<worksheet><sheetData><row><c t='s'><v>0</v></c><c><v>4711</v></c></row>"
            "</sheetData></worksheet>",
        }
    )


def pptx(*slides: str) -> bytes:
    return archive(
        {
            f"ppt/slides/slide{n}.xml": "<p:sld xmlns:p='p' xmlns:a='a'><a:p><a:r>"
            f"<a:t>{text}</a:t></a:r></a:p></p:sld>"
            for n, text in enumerate(slides, 1)
        }
    )


def odt(*paragraphs: str) -> bytes:
    body = "".join(f"<text:p>{text}</text:p>" for text in paragraphs)
    return archive(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f"<office:document-content xmlns:office='o' xmlns:text='t'>{body}</office:document-content>",
        }
    )


def pdf(*pages: str, stream: bytes | None = None) -> bytes:
    """A page for each text; *stream*: what stands in place of the first page's text."""
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(len(pages)))
    objects.append(b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, len(pages)))
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for n, text in enumerate(pages):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources << /Font << /F1 3 0 R >> >>"
            b" /Contents %d 0 R >>" % (5 + 2 * n)
        )
        shown = b"BT /F1 12 Tf 50 700 Td (%b) Tj ET" % text.encode("latin-1")
        data = zlib.compress(shown) if stream is None or n else stream
        objects.append(
            b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(data), data)
        )
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for n, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (n, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        start,
    )
    return bytes(out)


def _bomb() -> bytes:
    """Much XML in little room."""
    piece = b"<w:p><w:r><w:t>" + b"a" * 1_000_000 + b"</w:t></w:r></w:p>"
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("word/document.xml", "w") as member,
    ):
        member.write(f"<w:document {W}><w:body>".encode())
        for _ in range(150):
            member.write(piece)
    return out.getvalue()


LAUGHS = (
    "<!DOCTYPE d [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY a{n} '{'&a;' if not n else f'&a{n - 1};' * 10}'>" for n in range(12))
    + "]><w:document><w:p><w:t>&a11;</w:t></w:p></w:document>"
)


def _exploding() -> bytes:
    """Sixty megabytes of drawing in one page of some kilobytes."""
    return pdf("x", stream=zlib.compress(b"BT " + b"(aaaaaaaa) Tj " * 4_000_000 + b"ET", 1))


#: name -> (kind, what makes it)
HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "zip bomb": ("docx", _bomb),
    "billion laughs": ("docx", lambda: archive({"word/document.xml": LAUGHS})),
    "deep XML": (
        "docx",
        lambda: archive({"word/document.xml": "<w:document>" + "<w:p>" * 300_000}),
    ),
    "no XML": ("docx", lambda: archive({"word/document.xml": b"\xff\xfe\0garbage"})),
    "cut off": ("docx", lambda: docx("text")[:200]),
    "many members": ("pptx", lambda: pptx(*["x"] * 3_000)),
    "page tree in a circle": ("pdf", lambda: pdf("x").replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]")),
    "stream that explodes": ("pdf", _exploding),
    "no PDF": ("pdf", lambda: b"%PDF-1.7\n" + b"1 0 obj << /A 1 0 R >> " * 10_000),
    "dictionaries in dictionaries": ("pdf", lambda: b"%PDF-1.4\n1 0 obj\n" + b"<< /A " * 200_000),
    "empty": ("xlsx", lambda: b""),
    "not what it says": ("odf", lambda: pdf("x")),
}
