"""Messages that scripts are tried on: plain ones, broken ones, and what the world writes."""


def _crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


PLAIN = _crlf("""\
Received: from mail.example.com (mail.example.com [192.0.2.1])
\tby mx.example.test with ESMTP id 1; Mon, 23 Nov 2026 09:00:05 +0000
Received: from desk.example.com by mail.example.com; Mon, 23 Nov 2026 08:59:00 +0000
From: Bob Jones <bob+lists@Example.COM>
To: alice@example.test, "Carol, Jr." <carol@example.org>
Cc: dave@example.net
Subject: [acme-users] [fwd] version 1.0 is out
Date: Mon, 23 Nov 2026 10:00:00 +0100
Message-ID: <one@example.com>
X-Priority: 3
X-Spam-Score: 4.5
X-Empty:
List-Id: Users of ACME <acme-users.lists.example.com>

Hello world,
this is 100% plain text.
""")

ALTERNATIVE = _crlf("""\
From: =?utf-8?q?Andr=C3=A9?= <andre@example.fr>
To: =?iso-8859-1?Q?J=F6rg?= <joerg@example.test>
Subject: =?utf-8?B?R3LDvMOfZSBhdXMgTcO8bmNoZW4=?= =?utf-8?q?_=F0=9F=98=80?=
Date: Sun, 1 Feb 2026 23:59:59 -0500 (EST)
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="b1"

prologue
--b1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

R3LDvMOfZSwgZGllcyBpc3QgVGV4dC4=
--b1
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

<p>Gr=FC=DFe, dies ist <b>HTML</b>.</p>
--b1--
epilogue
""")

NESTED = _crlf("""\
From: mailer@example.org (The Mailer)
To: undisclosed-recipients:;
Cc: team: eve@example.com, "frank m" <frank@example.net>;
Subject: Fwd: report
Date: Thu, 31 Dec 2026 23:30:00 +0000
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: text/plain

See the attachment.
--outer
Content-Type: message/rfc822

From: inner@example.com
Subject: the inner one
Content-Type: text/plain

inner body
--outer
Content-Type: application/octet-stream; name=a.bin
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=a.bin

c2VjcmV0IGJ5dGVz
--outer--
""")

TWICE = _crlf("""\
From: a@example.com
To: b@example.test
To: c@example.test
Subject: first
Subject: second
Subject:   third  one
X-Num: 10
X-Num: 9
X-Num: abc
Date: 1 Jan 2026 00:00:00 GMT
Comments: a*b?c\\d

body
""")

BARE = _crlf("""\
Subject: no sender

""")

NO_BODY = _crlf("Subject: header only\nFrom: x@y.example\n")

FOLDED = _crlf("""\
From: "A very
 long name" <long@example.com>
Subject: a subject
\tthat is folded
 twice
To: <alice@example.test>
Date: Tue, 29 Feb 2028 12:00:00 +0530

text
""")

ALL = {
    "plain": PLAIN,
    "alternative": ALTERNATIVE,
    "nested": NESTED,
    "twice": TWICE,
    "bare": BARE,
    "folded": FOLDED,
}
