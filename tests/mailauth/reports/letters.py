"""Mail with reports attached, as others send it."""

import base64
import gzip

from mailauth.reports import samples


def attached(kind: str, name: str, content: bytes, subject: str = "Report Domain: x") -> bytes:
    """A message with *content* as its attachment."""
    body = base64.encodebytes(content).replace(b"\n", b"\r\n")
    head = (
        f'Content-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
    )
    return (
        b"From: reports@elsewhere.example\r\nSubject: "
        + subject.encode()
        + b'\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nA report.\r\n--b\r\n"
        + head.encode()
        + body
        + b"--b--\r\n"
    )


def about(domain: str, sample: bytes = samples.GOOGLE) -> bytes:
    """A message with a report like *sample*, on *domain*."""
    document = sample.replace(b"example.org", domain.encode())
    if document.startswith(b"{"):
        return attached("application/tlsrpt+gzip", "r.json.gz", gzip.compress(document))
    return attached("application/gzip", "r.xml.gz", gzip.compress(document))
