"""What both interpreters are asked: tests by what they need, and whole scripts."""

BASE = r"""
header "subject" "first"
header "SUBJECT" "FIRST"
header :is "subject" "a subject that is folded twice"
header :contains "subject" "version"
header :contains "subject" ["nothing", "FWD"]
header :contains ["nosuch", "subject"] "one"
header :contains "subject" ""
header :contains "x-empty" ""
header :is "x-empty" ""
header :matches "x-empty" "*"
header :matches "x-empty" ""
header :is "nosuch" ""
header :contains "nosuch" ""
header :matches "nosuch" "*"
header :matches "subject" "*"
header :matches "subject" "?irst"
header :matches "subject" "f*t"
header :matches "subject" "*version*out"
header :matches "subject" "[*] [*] *"
header :matches "subject" "\\[*\\] *"
header :matches "subject" "*?*?*?*?*"
header :matches "subject" "????t"
header :matches "comments" "a\\*b\\?c\\\\d"
header :matches "comments" "a*b*c*d"
header :matches "comments" "a\*b\?c?d"
header :contains "comments" "*b?"
header :is "comments" "a*b?c\\d"
header :comparator "i;octet" :is "subject" "First"
header :comparator "i;octet" :is "subject" "first"
header :comparator "i;octet" :contains "subject" "FWD"
header :comparator "i;octet" :matches "subject" "F*"
header :comparator "i;ascii-casemap" :is "subject" "FIRST"
header :is "subject" "third  one"
header :contains "subject" "third"
header :contains "subject" "Grüße"
header :contains "subject" "GRÜßE"
header :contains "subject" "münchen 😀"
header :matches "subject" "gr*münchen*"
header :matches "subject" "gr??e*"
header :contains "from" "andré"
header :contains "from" "=?utf-8"
header :is "subject" "no sender"
header :contains ["to", "cc"] "example"
header :contains "received" "desk"
header :contains "list-id" "acme"
header :matches "list-id" "*<*.*>"
header :is "x-num" "9"
header :is "x-num" ["1", "2", "abc"]
header :is "x-priority" "3"
header :is "date" "mon, 23 nov 2026 10:00:00 +0100"
address "from" "bob+lists@example.com"
address :all "from" "BOB+LISTS@EXAMPLE.COM"
address :localpart "from" "bob+lists"
address :domain "from" "example.com"
address :domain :contains "from" "example"
address :domain :matches "from" "*.com"
address :all :matches "from" "*@*.fr"
address :localpart :is "to" ["alice", "joerg", "b", "c"]
address :is ["to", "cc"] "dave@example.net"
address :is ["to", "cc"] "eve@example.com"
address :is "cc" "frank@example.net"
address :contains "cc" "team"
address :contains "to" "undisclosed"
address :contains "to" "carol"
address :contains "to" "jr."
address :is "to" "carol@example.org"
address :is "from" "mailer@example.org"
address :contains "from" "The Mailer"
address :is "from" "long@example.com"
address :comparator "i;octet" :domain "from" "example.com"
address :comparator "i;octet" :domain "from" "Example.COM"
address :is "from" ""
address :matches "from" "*"
address :contains "from" ""
address :is "sender" ""
address :domain ["from", "to", "cc"] ["example.net", "nothing"]
exists "from"
exists ["from", "to"]
exists ["from", "nosuch"]
exists "x-empty"
exists "x-num"
exists "RECEIVED"
size :over 100
size :over 1K
size :under 300
size :under 1M
size :over 0
true
false
not true
not exists "to"
allof (true, exists "to")
allof (false, true)
anyof (false, exists "cc")
anyof (exists "cc", exists "list-id")
not anyof (exists "cc", exists "list-id")
not allof (exists "cc", size :over 10)
allof (anyof (false, true), not false, header :contains "subject" "e")
"""

ENVELOPE = r"""
envelope "from" "bob+lists@example.com"
envelope :localpart "from" "bob+lists"
envelope :domain "from" "example.com"
envelope :domain :matches "to" "*.test"
envelope :is "to" "alice@example.test"
envelope :is "to" "alice+detail@example.test"
envelope :contains ["from", "to"] "bob"
envelope :all :contains "from" ""
envelope :user "to" "alice"
envelope :detail "to" "detail"
envelope :detail "from" "lists"
envelope :user ["from", "to"] ["bob", "x"]
envelope :detail :contains "to" ""
address :user "from" "bob"
address :user "from" ["andre", "mailer"]
address :detail "from" "lists"
address :detail "from" ""
address :detail :contains "from" ""
address :detail :matches "from" "*"
address :user :matches "to" "?*"
address :user "to" "alice"
"""

RELATIONAL = r"""
header :count "eq" "subject" "1"
header :count "eq" "subject" "3"
header :count "gt" "received" "1"
header :count "ge" :comparator "i;ascii-numeric" "received" "2"
header :count "eq" :comparator "i;ascii-numeric" "nosuch" "0"
header :count "lt" :comparator "i;ascii-numeric" ["subject", "received"] "3"
header :count "ne" :comparator "i;ascii-numeric" "to" ["1", "2"]
header :value "gt" :comparator "i;ascii-numeric" "x-num" "9"
header :value "ge" :comparator "i;ascii-numeric" "x-num" "10"
header :value "lt" :comparator "i;ascii-numeric" "x-num" "9"
header :value "eq" :comparator "i;ascii-numeric" "x-num" "009"
header :value "gt" :comparator "i;ascii-numeric" "x-num" "100000000000000000000"
header :value "eq" :comparator "i;ascii-numeric" "x-priority" "3"
header :value "gt" :comparator "i;ascii-numeric" "x-spam-score" "3"
header :value "eq" :comparator "i;ascii-numeric" "x-spam-score" "4"
header :value "gt" "x-num" "5"
header :value "lt" "subject" "g"
header :value "ge" "subject" "second"
header :value "le" "subject" ["a", "z"]
header :value "ne" "subject" "first"
header :value "eq" "subject" "FIRST"
header :value "eq" :comparator "i;octet" "subject" "FIRST"
header :value "gt" :comparator "i;octet" "subject" "Z"
header :is :comparator "i;ascii-numeric" "x-num" "0010"
header :is :comparator "i;ascii-numeric" "x-num" "xyz"
header :is :comparator "i;ascii-numeric" "x-priority" "3 or so"
address :count "eq" "to" "1"
address :count "ge" :comparator "i;ascii-numeric" ["to", "cc"] "2"
address :count "eq" :comparator "i;ascii-numeric" "cc" "2"
address :count "eq" :comparator "i;ascii-numeric" "to" "0"
address :value "gt" :localpart "from" "m"
address :value "lt" :domain ["to", "cc"] "example.o"
envelope :count "eq" "from" "1"
envelope :value "gt" "from" "a"
"""

DATES = r"""
date "date" "year" "2026"
date "date" "month" "11"
date "date" "day" ["23", "01", "31"]
date "date" "date" "2026-11-23"
date "date" "julian" "61367"
date "date" "hour" "09"
date "date" "hour" ["04", "23", "12", "06"]
date "date" "minute" "00"
date "date" "second" "59"
date "date" "time" "09:00:00"
date "date" "iso8601" "2026-11-23T09:00:00Z"
date "date" "zone" "+0000"
date "date" "weekday" "1"
date "date" "weekday" ["0", "2", "4"]
date :originalzone "date" "hour" "10"
date :originalzone "date" "zone" "+0100"
date :originalzone "date" "zone" ["-0500", "+0530"]
date :originalzone "date" "iso8601" "2026-02-01T23:59:59-05:00"
date :zone "+0300" "date" "hour" "12"
date :zone "-0800" "date" "date" "2026-11-23"
date :zone "-0800" "date" "iso8601" "2026-11-23T01:00:00-08:00"
date :zone "+0530" "date" "zone" "+0530"
date "received" "hour" "09"
date :index 2 "received" "minute" "59"
date :index 1 :last "received" "minute" "59"
date :index 3 "received" "minute" "59"
date "nosuch" "year" "2026"
date "subject" "year" "2026"
date :value "ge" "date" "date" "2026-06-01"
date :value "lt" "date" "hour" "12"
date :count "eq" "date" "year" "1"
date :count "eq" "nosuch" "year" "0"
date :matches "date" "iso8601" "2026-*"
date :contains "date" "date" "-1"
header :index 1 "subject" "first"
header :index 2 "subject" "second"
header :index 2 "subject" "first"
header :index 1 :last :contains "subject" "third"
header :index 3 :last "subject" "first"
header :index 4 :last "subject" "first"
header :index 9 :matches "subject" "*"
header :index 2 :contains "received" "desk"
header :index 2 ["subject", "x-num"] "second"
header :index 4 ["subject", "x-num"] "10"
address :index 2 "to" "c@example.test"
address :index 1 "to" "c@example.test"
address :index 1 :last "to" "c@example.test"
currentdate :value "gt" "year" "2020"
currentdate :zone "+0200" "zone" "+0200"
currentdate :count "eq" "year" "1"
currentdate :matches "date" "????-??-??"
currentdate :matches "iso8601" "*Z"
"""

BODY = r"""
body :contains "hello"
body :contains "HELLO WORLD"
body :contains "100%"
body :raw :contains "hello"
body :raw :contains "R3LDvMOf"
body :raw :contains "prologue"
body :raw :contains "c2VjcmV0"
body :text :contains "Grüße, dies ist Text"
body :text :contains "dies ist"
body :text :contains "prologue"
body :text :contains "inner body"
body :content "text" :contains "Grüße"
body :content "text/plain" :contains "dies ist Text"
body :content "text/html" :contains "HTML"
body :content "text/html" :contains "dies ist Text"
body :content "text/html" :contains "<b>"
body :content "application" :contains "secret"
body :content "application/octet-stream" :contains "secret bytes"
body :content "multipart" :contains "prologue"
body :content "multipart" :contains "epilogue"
body :content "message/rfc822" :contains "inner one"
body :content "message" :contains "inner@example.com"
body :content "" :contains "dies ist"
body :content ["image", "application"] :contains "secret"
body :content "text/" :contains "e"
body :content "/plain" :contains "e"
body :content "TEXT/PLAIN" :contains "e"
body :matches "*world*"
body :matches "Hello*"
body :is "text"
body :content "text" :is "See the attachment."
body :content "text" :matches "See*attachment?"
body :comparator "i;octet" :contains "HELLO"
body :contains ""
body :contains "nothing of the kind"
body :raw :matches "*"
"""

FLAGS = r"""
hasflag "\\Flagged"
hasflag "\\flagged"
hasflag :contains "flag"
hasflag :contains ["x", "un"]
hasflag :matches "ju*"
hasflag :matches "\\*"
hasflag :is ["a", "$Junk"]
hasflag "junk \\Answered"
hasflag "a b"
hasflag :count "eq" "3"
hasflag :count "ge" :comparator "i;ascii-numeric" "2"
hasflag "v" "one"
hasflag "v" "two three"
hasflag :count "eq" "v" "2"
hasflag :contains ["v", "w"] "hre"
hasflag "w" "three"
hasflag "nosuch" "three"
hasflag :comparator "i;octet" "\\flagged"
hasflag ""
"""

REGEXES = r"""
header :regex "subject" "version"
header :regex "subject" "^version"
header :regex "subject" "[0-9]+\\.[0-9]+"
header :regex "subject" "^\\[[a-z-]*\\]"
header :regex "subject" ["^x", "out$"]
header :regex "subject" ""
header :regex "subject" "."
header :regex "subject" "FIRST|SECOND"
header :regex :comparator "i;octet" "subject" "FIRST"
header :regex "subject" "(first|second)"
header :regex "subject" "^(.)(.)(.)(.)t$"
header :regex "subject" "[[:alpha:]]+ +[[:alpha:]]+"
header :regex "subject" "i{1,2}s"
header :regex "subject" "x?first"
header :regex "nosuch" ".*"
header :regex "comments" "a\\*b\\?c"
header :regex "x-num" "^[0-9]*$"
header :regex "x-empty" "^$"
address :regex "from" "^bob"
address :regex :domain "from" "example\\.(com|org)$"
address :regex :localpart ["from", "to"] "^[a-z]$"
"""

SCORES = r"""
spamtest "0"
spamtest "1"
spamtest "9"
spamtest :percent "0"
spamtest :percent "90"
spamtest :value "ge" "5"
spamtest :value "lt" :comparator "i;ascii-numeric" "10"
spamtest :percent :value "ge" :comparator "i;ascii-numeric" "50"
spamtest :percent :value "ge" :comparator "i;ascii-numeric" "91"
spamtest :contains "9"
spamtest :matches "?"
spamtest :percent :matches "?0"
virustest "0"
virustest :value "lt" :comparator "i;ascii-numeric" "1"
virustest :matches "*"
"""

STRINGS = r"""
string "abc" "abc"
string "ABC" "abc"
string :contains "abcdef" "CDE"
string :matches "abcdef" "a*f"
string :is ["a", "b"] ["c", "b"]
string :comparator "i;octet" "ABC" "abc"
string "${v}" "one two"
string "${V}" "one two"
string "${nosuch}" ""
string "${n-osuch}" "${n-osuch}"
string "${}" "${}"
string "$${v}}" "$one two}"
string "${v" "${v"
string "${${v}}" "${one two}"
string "&%${v}!" "&%one two!"
string "${lower}" "hello world"
string "${upper}" "HELLO WORLD"
string "${first}" "Hello World"
string "${lowfirst}" "hELLO"
string "${both}" "Hello world"
string "${quoted}" "\\*a\\?b\\\\"
string "${length}" "11"
string "${umlauts}" "4"
string "${upumlauts}" "GRÜN"
string :count "eq" ["a", "", "b"] "2"
string :count "eq" ["${nosuch}", "${v}"] "1"
string :value "gt" "b" "a"
string :value "gt" :comparator "i;ascii-numeric" "10" "9"
string :matches "one two" "${v}"
string "${m1}|${m2}|${m3}" "one||two"
string "${z0}|${z1}|${z2}" "foobar|foo|bar"
string "${e}" ""
string "${num}" "a"
string "${c}" "XY"
"""

STRINGS_BEFORE = r"""
set "v" "one two";
set :lower "lower" "Hello World";
set :upper "upper" "Hello World";
set :upperfirst "first" "hello World";
set :lowerfirst "lowfirst" "HELLO";
set :upperfirst :lower "both" "hELLO WORLD";
set :quotewildcard "quoted" "*a?b\\";
set :length "length" "hello world";
set :length "umlauts" "grün";
set :upper "upumlauts" "grün";
if string :matches "one x two" "* x*" { set "m1" "${1}"; }
if string :matches "one two" "*** *" { set "m1" "${3}"; set "m2" "${1}"; set "m3" "${4}"; }
if string :matches "foobar" "???*" { }
if string :matches "foobar" "foo*" { set "z0" "${0}"; set "z2" "${1}"; set "z1" "foo"; }
if string :matches "x" "y*" { set "e" "wrong"; }
set "num" "${00}";
if string :matches "a" "?" { set "num" "${0001}"; }
set "a" "X"; set "b" "Y"; set "c" "${a}${b}";
"""

FLAGS_BEFORE = r"""
setflag ["\\Flagged", "Junk"]; addflag "$Junk \\Answered"; removeflag "\\answered";
setflag "v" "one"; addflag "v" "two"; set "w" "three THREE";
"""

MIME = r"""
header :mime "subject" "first"
header :mime "subject" "the inner one"
header :mime :anychild "subject" "the inner one"
header :mime :anychild "subject" "no sender"
header :mime :type "content-type" "multipart"
header :mime :type "content-type" "MULTIPART"
header :mime :type "content-type" "text"
header :mime :anychild :type "content-type" "text"
header :mime :anychild :type "content-type" "application"
header :mime :anychild :type :contains "content-type" "a"
header :mime :subtype "content-type" "mixed"
header :mime :anychild :subtype "content-type" "html"
header :mime :anychild :subtype :matches "content-type" "octet-*"
header :mime :contenttype "content-type" "multipart/alternative"
header :mime :anychild :contenttype "content-type" ["text/html", "application/octet-stream"]
header :mime :anychild :contenttype :matches "content-type" "text/*"
header :mime :anychild :type "content-disposition" "attachment"
header :mime :anychild :type "content-disposition" "inline"
header :mime :anychild :subtype "content-disposition" ""
header :mime :anychild :contenttype "content-disposition" "attachment"
header :mime :type "subject" ""
header :mime :subtype "subject" ""
header :mime :contenttype "nosuch" ""
header :mime :param "boundary" "content-type" "outer"
header :mime :param "boundary" "content-type" ["b1", "b2"]
header :mime :anychild :param "charset" "content-type" "utf-8"
header :mime :anychild :param "CHARSET" "content-type" "ISO-8859-1"
header :mime :anychild :param ["filename", "name"] ["content-type", "content-disposition"] "a.bin"
header :mime :anychild :param "filename" "content-type" "a.bin"
header :mime :anychild :param "nosuch" "content-type" "a.bin"
header :mime :anychild :type :count "ge" "content-type" "3"
header :mime :anychild :type :count "eq" "content-type" "5"
header :mime :anychild :contenttype :count "eq" "content-disposition" "1"
header :mime :type :count "eq" "content-type" "1"
header :mime :type :count "eq" "content-type" "0"
header :mime :count "eq" "subject" "3"
header :mime :anychild :count "ge" "content-transfer-encoding" "1"
address :mime "from" "inner@example.com"
address :mime :anychild "from" "inner@example.com"
address :mime :anychild :domain "from" "example.com"
address :mime :anychild :localpart ["from", "cc"] "eve"
exists :mime "content-type"
exists :mime :anychild "content-type"
exists :mime :anychild "content-disposition"
exists :mime "content-disposition"
exists :mime :anychild ["content-disposition", "content-type"]
exists :mime ["from", "content-type"]
exists :mime :anychild "nosuch"
not exists :mime :anychild "content-id"
"""

#: (what is required, what comes before the tests, the tests)
TESTS = [
    ('["comparator-i;ascii-numeric"]', "", BASE),
    ('["envelope", "subaddress"]', "", ENVELOPE),
    ('["relational", "comparator-i;ascii-numeric", "envelope"]', "", RELATIONAL),
    ('["date", "index", "relational"]', "", DATES),
    ('["body"]', "", BODY),
    ('["mime", "relational", "comparator-i;ascii-numeric"]', "", MIME),
    (
        '["imap4flags", "variables", "relational", "comparator-i;ascii-numeric"]',
        FLAGS_BEFORE,
        FLAGS,
    ),
    ('["regex"]', "", REGEXES),
    (
        '["spamtestplus", "virustest", "relational", "comparator-i;ascii-numeric"]',
        "",
        SCORES,
    ),
    ('["variables", "relational", "comparator-i;ascii-numeric"]', STRINGS_BEFORE, STRINGS),
]

PARTS = 'require ["foreverypart", "mime", "extracttext", "variables", "fileinto"]; set "n" "";'

#: whole scripts: their actions are compared
SCRIPTS = [
    PARTS + 'foreverypart { set "n" "${n}x"; fileinto "${n}"; }',
    PARTS + 'foreverypart { set "n" "${n}x"; break; } fileinto "${n}";',
    PARTS + 'foreverypart { foreverypart { set "n" "${n}i"; } set "n" "${n}o"; } fileinto "a${n}";',
    PARTS
    + 'foreverypart { foreverypart { set "n" "${n}i"; break; } set "n" "${n}o"; } fileinto "a${n}";',
    PARTS
    + 'foreverypart :name "a" { foreverypart { break :name "a"; } set "n" "${n}o"; } fileinto "a${n}";',
    PARTS
    + 'foreverypart :name "a" { foreverypart :name "a" { break :name "a"; } set "n" "${n}o"; }'
    ' fileinto "a${n}";',
    PARTS + 'foreverypart { if header :mime :matches "content-type" "*/*" { fileinto "${1}"; } }',
    PARTS
    + 'foreverypart { if header :mime :type :matches "content-type" "*" { fileinto "t${1}"; } }',
    PARTS
    + 'foreverypart { if header :mime :anychild :type "content-type" "text" { set "n" "${n}x"; } }'
    ' fileinto "a${n}";',
    PARTS
    + 'foreverypart { if header "subject" "Fwd: report" { set "n" "${n}x"; } } fileinto "a${n}";',
    PARTS
    + 'foreverypart { if exists :mime "content-transfer-encoding" { set "n" "${n}x"; } } fileinto "a${n}";',
    PARTS + 'foreverypart { if address :mime "from" "inner@example.com" { stop; } } fileinto "a";',
    PARTS + 'foreverypart { extracttext "t"; if string :contains "t" "inner" { fileinto "b"; } }',
    PARTS
    + 'foreverypart { extracttext :first 4 "t"; if string :matches "${t}" "?*" { fileinto "x${t}"; } }',
    PARTS + 'foreverypart { extracttext :upper :first 3 "t"; fileinto "x${t}"; }',
    PARTS + 'foreverypart { extracttext :length "t"; fileinto "x${t}"; break; }',
    'require "foreverypart"; foreverypart { }',
    'require "foreverypart"; foreverypart { keep; stop; }',
    'require "foreverypart"; break;',
    'require "foreverypart"; foreverypart { break :name "x"; }',
    'require "foreverypart"; foreverypart :name "x";',
    'require "foreverypart"; foreverypart "x" { }',
    "foreverypart { }",
    'require ["extracttext", "variables"]; extracttext "x";',
    'require ["extracttext", "foreverypart"]; foreverypart { extracttext "x"; }',
    'require ["extracttext", "variables", "foreverypart"]; foreverypart { extracttext "1"; }',
    'require "mime"; if header :anychild "a" "b" { keep; }',
    'require "mime"; if header :type "a" "b" { keep; }',
    'require "mime"; if header :mime :type :subtype "a" "b" { keep; }',
    'require "mime"; if header :mime :param "a" { keep; }',
    'if header :mime "a" "b" { keep; }',
    "",
    "keep;",
    "discard;",
    "stop;",
    "keep; keep;",
    "discard; keep;",
    "keep; discard;",
    "discard; stop; keep;",
    'require "fileinto"; fileinto "a";',
    'require "fileinto"; fileinto "a"; fileinto "a";',
    'require "fileinto"; fileinto "a"; fileinto "b"; keep;',
    'require "fileinto"; fileinto "a"; discard;',
    'require ["fileinto", "copy"]; fileinto :copy "a";',
    'require ["fileinto", "copy"]; fileinto :copy "a"; discard;',
    'require ["fileinto", "copy"]; fileinto :copy "a"; fileinto "b";',
    'redirect "x@example.org";',
    'redirect "x@example.org"; keep;',
    'redirect "x@example.org"; redirect "y@example.org";',
    'redirect "x@example.org"; redirect "x@example.org";',
    'redirect "X <x@example.org>";',
    'require "copy"; redirect :copy "x@example.org";',
    'require "reject"; reject "no thanks";',
    'require "ereject"; ereject "no thanks";',
    'require ["reject", "fileinto"]; reject "no"; fileinto "a";',
    'require ["reject", "fileinto"]; fileinto "a"; reject "no";',
    'require "reject"; reject "no"; keep;',
    'require "reject"; keep; reject "no";',
    'require "reject"; discard; reject "no";',
    'require "reject"; reject "a"; reject "b";',
    'require "vacation"; vacation "I am away";',
    'require "vacation"; vacation :days 3 "I am away";',
    'require "vacation"; vacation :days 3 :subject "Gone" "I am away"; keep;',
    'require "vacation"; vacation "a"; vacation "b";',
    'require "vacation"; vacation "away"; discard;',
    'require ["vacation", "vacation-seconds"]; vacation :seconds 7200 "away";',
    'require "imap4flags"; setflag "\\\\Seen"; keep;',
    'require "imap4flags"; setflag ["\\\\Seen", "\\\\Flagged"];',
    'require "imap4flags"; addflag "a"; addflag ["b", "a"]; removeflag "b"; keep;',
    'require "imap4flags"; keep :flags "\\\\Deleted";',
    'require "imap4flags"; setflag "x"; keep :flags "y";',
    'require ["imap4flags", "fileinto"]; addflag "one"; fileinto "a"; addflag "two"; fileinto "b";',
    'require ["imap4flags", "fileinto"]; fileinto :flags ["a b", "c"] "box";',
    'require ["imap4flags", "fileinto"]; fileinto :flags "" "box";',
    'require ["imap4flags", "variables", "fileinto"]; setflag "f" "a b"; fileinto :flags "${f}" "box";',
    'require "imap4flags"; addflag ["\\\\Recent", "bad flag", "ok"]; keep;',
    "if true { keep; } else { discard; }",
    "if false { keep; } else { discard; }",
    "if false { discard; } elsif true { keep; } else { discard; }",
    "if true { if false { keep; } else { discard; } } else { keep; }",
    "if true { if false { keep; } } else { discard; } ",
    "if false { } elsif false { } else { stop; } discard;",
    "if true { stop; } discard;",
    'if header :contains "subject" "fwd" { discard; } elsif exists "cc" { redirect "cc@example.org"; }',
    'require ["variables", "fileinto"]; if header :matches "Subject" "[*] *" { fileinto "l.${1}"; }',
    'require ["variables", "fileinto"]; if address :matches "from" "*@*" { fileinto "${2}.${1}"; }',
    'require ["variables", "fileinto"]; if address :matches :all ["to", "cc"] ["coyote@**.com", "*@**.net"] '
    '{ fileinto "x${1}|${2}|${3}"; }',
    'require ["variables", "fileinto"]; set "a" "b"; if true { set "a" "c"; } fileinto "${a}";',
    'require ["variables", "fileinto"]; if allof(header :matches "subject" "*o*", false) {} fileinto "x${1}";',
    'require ["variables", "fileinto"]; if header :matches "nosuch" "*" {} fileinto "x${1}y";',
    'require ["variables", "envelope", "fileinto"]; if envelope :matches "from" "*@*" { fileinto "${1}"; }',
    'require ["variables", "date", "fileinto"]; if date :matches :zone "+0000" "date" "date" "*-*-*" '
    '{ fileinto "${1}/${2}"; }',
    'require ["editheader", "fileinto"]; addheader "X-New" "yes"; if header "x-new" "yes" { fileinto "a"; }',
    'require ["editheader", "fileinto"]; deleteheader "subject"; if not exists "subject" { fileinto "a"; }',
    'require ["editheader", "fileinto"]; deleteheader :index 1 "subject"; if exists "subject" { fileinto "a"; }',
    'require ["editheader", "fileinto"]; deleteheader :index 1 :last "subject"; '
    'if header "subject" "first" { fileinto "a"; }',
    'require ["editheader", "fileinto"]; deleteheader :contains "subject" "second"; '
    'if header :contains "subject" "second" { fileinto "a"; } else { fileinto "b"; }',
    'require ["editheader", "fileinto"]; deleteheader "received"; if exists "received" { fileinto "kept"; }',
    'require ["editheader", "fileinto"]; addheader :last "Subject" "new"; '
    'if header "subject" "new" { fileinto "a"; }',
    'require ["ihave", "fileinto"]; if ihave "nosuch" { nosuch; } else { fileinto "without"; }',
    'require "ihave"; if ihave "fileinto" { fileinto "with"; }',
    'require ["ihave", "fileinto"]; if not ihave "nosuch" { fileinto "a"; }',
    'require "ihave"; if ihave ["fileinto", "copy"] { fileinto :copy "with"; }',
    'require ["encoded-character", "fileinto"]; fileinto "a${hex:62}c${unicode:00e4}";',
    'require ["encoded-character", "fileinto"]; fileinto "${hex: 61 62 }${hex:zz}${unicode:}";',
    'require ["fileinto"]; fileinto "a${hex:62}c";',
    'require ["mailbox", "fileinto"]; fileinto :create "new";',
    'require ["environment", "fileinto"]; if environment "nosuch" "" { fileinto "a"; } else { fileinto "b"; }',
    "# a comment\nkeep; /* another\none */ # and one\n",
    'if header :contains "subject" text:\nfwd\n.\n{ discard; }',
    'require "reject"; reject text: # why\nOne line.\n..dotted\n.\n;',
    "IF TRUE { KEEP; } ELSE { DISCARD; }",
    'if anyof(not exists ["to","nosuch"], size :over 1G) { discard; }',
    'require "enotify"; notify "mailto:x@example.org";',
    'require "enotify"; notify :message "News for you" "mailto:x@example.org"; discard;',
    'require "enotify"; notify :importance "1" "mailto:x@example.org?subject=a%20b&cc=y@example.org";',
    'require "enotify"; notify :from "alice@example.test" "mailto:x@example.org?body=one%20two";',
    'require "enotify"; notify :message "m" "mailto:x@example.org?subject=not%20this&x-a=b";',
    'require "enotify"; notify "mailto:x@example.org%2Cy@example.org?to=z@example.org";',
    'require "enotify"; notify "mailto:x@example.org,y@example.org";',
    'require "enotify"; notify "mailto:x@example.org"; notify "mailto:x@example.org";',
    'require "enotify"; notify "mailto:x@example.org"; notify "mailto:x@example.org%2Cy@example.org";',
    'require "enotify"; notify "mailto:x@example.org?from=z@example.org&auto-submitted=no&received=x&date=now";',
    'require "enotify"; notify "mailto:?to=x@example.org&cc=x@example.org";',
    'require ["enotify", "variables"]; set :encodeurl "v" "a b&c=%+ü"; notify "mailto:x@example.org?body=${v}";',
    'require ["enotify", "variables"]; set :encodeurl :upper "v" "a b~-_.!"; notify "mailto:x@example.org?body=${v}";',
    'require "enotify"; if valid_notify_method "mailto:x@example.org" { discard; }',
    'require "enotify"; if valid_notify_method ["mailto:x@example.org", "nosuch:x"] { discard; }',
    'require "enotify"; if valid_notify_method "mailto:x@example.org?subject" { discard; }',
    'require "enotify"; if notify_method_capability "mailto:x@example.org" "online" "maybe" { discard; }',
    'require "enotify"; if notify_method_capability "mailto:x@example.org" "ONLINE" ["yes", "no"] { discard; }',
    'require "enotify"; if notify_method_capability :contains "mailto:x@example.org" "online" "may" { discard; }',
    'require "enotify"; if notify_method_capability "nosuch:x" "online" "maybe" { discard; }',
    'require "enotify"; if notify_method_capability "mailto:x@example.org" "other" "maybe" { discard; }',
    'require ["enotify", "reject"]; notify "mailto:x@example.org"; reject "no";',
    'require ["regex", "variables", "fileinto"]; if header :regex "subject" "(a.*)-(.*s)" { fileinto "${2}-${1}"; }',
    'require ["regex", "variables", "fileinto"]; if header :regex "subject" "(x)?version" { fileinto "a${1}b${0}"; }',
    'require ["regex", "variables", "fileinto"]; if string :regex "foobar" "(o|oo)(b|ob)" { fileinto "${0}"; }',
    # what does not compile
    "keep",
    "nosuch;",
    "keep 1;",
    "if { keep; }",
    "if true keep;",
    "else { keep; }",
    "if true { } keep; else { }",
    'fileinto "a";',
    'require "nosuch"; keep;',
    'keep; require "fileinto";',
    'require "fileinto"; fileinto;',
    'require "fileinto"; fileinto ["a", "b"];',
    'require "fileinto"; fileinto "a" "b";',
    'require "fileinto"; fileinto :nosuch "a";',
    'require "fileinto"; fileinto :copy "a";',
    "redirect;",
    'redirect "no address";',
    'redirect "";',
    "if header { keep; }",
    'if header "a" { keep; }',
    'if header :is :contains "a" "b" { keep; }',
    'if header :is :is "a" "b" { keep; }',
    'if header :comparator "i;nosuch" "a" "b" { keep; }',
    'if header :comparator "i;ascii-numeric" "a" "b" { keep; }',
    'if header :is "a:b" "c" { keep; }',
    "if size 100 { keep; }",
    "if size :over { keep; }",
    'if size :over "1" { keep; }',
    "if size :over :under 1 { keep; }",
    "if not { keep; }",
    "if allof { keep; }",
    "if allof() { keep; }",
    "if true, true { keep; }",
    "if keep { keep; }",
    "true;",
    '"keep";',
    "keep; }",
    "if true { keep;",
    'redirect "unclosed;',
    "/* unclosed",
    "redirect text:\nunclosed\n;",
    "if size :over 99999999999999999999 { keep; }",
    "if size :over 1X { keep; }",
    'require ["relational"]; if header :count "xx" "a" "1" { keep; }',
    'require ["relational"]; if header :value "a" "1" { keep; }',
    'require "variables"; set "1" "a";',
    'require "variables"; set "a b" "a";',
    'require "variables"; set :nosuch "a" "b";',
    'require "variables"; set :lower :upper "a" "b";',
    'require ["variables"]; set "a" "${no.such}";',
    'require "date"; if date "date" "nosuch" "1" { keep; }',
    'require "date"; if date :zone "0100" "date" "hour" "1" { keep; }',
    'require "date"; if date :zone "+0100" :originalzone "date" "hour" "1" { keep; }',
    'require ["date", "index"]; if date :last "date" "hour" "1" { keep; }',
    'require "vacation"; vacation;',
    'require "vacation"; vacation :days "x" "y";',
    'require ["vacation","vacation-seconds"]; vacation :days 1 :seconds 1 "y";',
    'require "envelope"; if envelope "cc" "y" { keep; }',
    'require ["editheader"]; addheader "a b" "c";',
    'require ["editheader"]; deleteheader :last "a";',
    'require "duplicate"; if duplicate :header "a" :uniqueid "b" { keep; }',
    'require ["encoded-character", "fileinto"]; fileinto "${unicode:d800}";',
    'require ["encoded-character", "fileinto"]; fileinto "${unicode:110000}";',
    'require "enotify"; notify;',
    'require "enotify"; notify "mailto:x@example.org" "y";',
    'require "enotify"; notify :importance "4" "mailto:x@example.org";',
    'require "enotify"; notify :importance 1 "mailto:x@example.org";',
    'require "enotify"; notify :options "x" "mailto:x@example.org";',
    'require "enotify"; notify :from "not an address" "mailto:x@example.org";',
    'require "enotify"; notify "mailto:not%20an%20address";',
    'require "enotify"; notify "nosuch:x";',
    'require "enotify"; if valid_notify_method { discard; }',
    'require "enotify"; if notify_method_capability "mailto:x@example.org" "online" { discard; }',
    'require "variables"; set :encodeurl "a" "b";',
    'notify "mailto:x@example.org";',
    'if spamtest "1" { keep; }',
    'require "spamtest"; if spamtest :percent "1" { keep; }',
    'require "spamtest"; if spamtest { keep; }',
    'require "spamtest"; if spamtest "1" "2" { keep; }',
    'require "virustest"; if virustest :percent "1" { keep; }',
    'require "mboxmetadata"; if metadata "INBOX" "/private/comment" { keep; }',
    'require "mboxmetadata"; if servermetadata "/private/comment" "a" { keep; }',
    'require "mboxmetadata"; if metadataexists ["a", "b"] "/private/comment" { keep; }',
    'require "servermetadata"; if servermetadataexists "/private/a" "b" { keep; }',
    'require "regex"; if header :regex "subject" "(unclosed" { keep; }',
    'require "regex"; if header :regex "subject" "[unclosed" { keep; }',
    'require "regex"; if header :regex :is "subject" "a" { keep; }',
    'if header :regex "subject" "a" { keep; }',
    'require ["regex", "comparator-i;ascii-numeric"]; if header :regex :comparator "i;ascii-numeric" "a" "b" { keep; }',
]
