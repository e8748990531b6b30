"""A message in a form that the next hop takes, and what cannot be had."""

import asyncio

import pytest

from jobs.post_office import post_office
from misbehaving import NextHop

EIGHT = "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"
SIGNED = (
    "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"
    "--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n"
)
FULL, OLD = ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8"), ("PIPELINING", "SIZE")


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 40))


@pytest.mark.rfc(6152, "3")
@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("extensions", [FULL, OLD], ids=["new", "old"])
def test_8bit_content_is_encoded_for_those_who_need_it(tmp_path, extensions, size):
    raw = (EIGHT + "Ü" * 60 + "\r\n").encode()
    raw += "".join(
        f"Zeile {n}: Ärger und Übermut\r\n" for n in range(5_000 if size == "large" else 1)
    ).encode()

    async def main():
        with NextHop(extensions=extensions) as hop:
            async with post_office(tmp_path) as office:
                await office.put(f"smtp:127.0.0.1:{hop.port}", raw=raw, is_8bit=True)
                await office.until("delivered")
        (message,) = hop.messages
        if extensions is FULL:
            assert message.content == raw
            assert b"BODY=8BITMIME" in message.mail
        else:
            assert message.content.isascii()
            assert b"BODY=" not in message.mail
            assert f"SIZE={len(message.content)}".encode() in message.mail
            assert b"base64" in message.content or b"quoted-printable" in message.content

    run(main())


def test_what_must_not_be_changed_goes_back(tmp_path):
    async def main():
        with NextHop(extensions=OLD) as hop:
            async with post_office(tmp_path) as office:
                where = f"smtp:127.0.0.1:{hop.port}"
                await office.put(
                    where, raw=SIGNED.encode(), is_8bit=True, sender="alice@example.test"
                )
                await office.put(where)
                await office.until("failed", "delivered")
                (first, _) = await office.attempts()
                assert len(await office.inbox("alice@example.test")) == 1
        assert first[3] == "5.6.3"
        assert "signed" in first[4]

    run(main())


@pytest.mark.rfc(6531, "3.1")
@pytest.mark.parametrize(
    ("raw", "to", "extensions", "state", "says"),
    [
        (b"Subject: x\r\n\r\nhi\r\n", "b@e.test", FULL, "delivered", True),
        (b"Subject: x\r\n\r\nhi\r\n", "b@e.test", OLD, "delivered", False),
        ("Subject: Grüße\r\n\r\nhi\r\n".encode(), "b@e.test", OLD, "failed", False),
        ("Subject: Grüße\r\n\r\nhi\r\n".encode(), "b@e.test", FULL, "delivered", True),
        (b"Subject: x\r\n\r\nhi\r\n", "bär@e.test", OLD, "failed", False),
        (b"Subject: x\r\n\r\nhi\r\n", "bär@e.test", FULL, "delivered", True),
    ],
)
def test_smtputf8_where_it_is_needed(tmp_path, raw, to, extensions, state, says):
    async def main():
        with NextHop(extensions=extensions) as hop:
            async with post_office(tmp_path) as office:
                await office.put(f"smtp:127.0.0.1:{hop.port}", to, raw=raw, is_utf8=True)
                await office.until(state)
                ((_, _, _, status, _, _),) = await office.attempts()
        assert status == ("2.0.0" if state == "delivered" else "5.6.7")
        assert any(b"SMTPUTF8" in line for line in hop.commands if line.startswith(b"MAIL")) == says

    run(main())
