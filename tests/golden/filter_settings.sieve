# mailserver settings 1
# Made from the settings of the account; the lines that begin with # say what was set.  Change the settings,
# not this text: once it is edited it runs as it stands, and the settings no longer change it.
require ["copy", "date", "envelope", "extlists", "fileinto", "imap4flags", "mailbox", "relational", "special-use", "vacation"];

# block {"to": "junk"}
if allof (not address :list "from" "tag:mailserver,2026:allow",
          anyof (address :list "from" "tag:mailserver,2026:block",
                 envelope :list "from" "tag:mailserver,2026:block")) {
    fileinto :specialuse "\\Junk" :create "Junk";
    stop;
}

# auto-reply {"text": "Back \"soon\".\nNot now.", "subject": "Away", "first": "2026-12-20", "last": "2027-01-06", "days": 3, "aliases": ["a@example.test"], "is_on": true}
if allof (currentdate :value "ge" "date" "2026-12-20", currentdate :value "le" "date" "2027-01-06") {
    vacation :days 3 :subject "Away" :addresses ["a@example.test"] "Back \"soon\".
Not now.";
}

# forward {"to": ["x@example.org", "y@example.org"], "keeps_copy": true}
redirect :copy "x@example.org";
redirect :copy "y@example.org";

# rule {"name": "lists", "conditions": [{"field": "list-id", "match": "is", "value": "acme-users.lists.example.com"}], "mailbox": "Lists/acme", "flags": ["\\Seen"], "is_any": false, "stops": true, "is_on": true}
if allof (header :contains "list-id" "<acme-users.lists.example.com>") {
    addflag ["\\Seen"];
    fileinto :create "Lists/acme";
    stop;
}

# rule {"name": "any", "conditions": [{"field": "from", "match": "contains", "value": "bob"}], "mailbox": "", "flags": ["$Bob"], "is_any": false, "stops": false, "is_on": true}
if allof (header :contains "from" "bob") {
    addflag ["$Bob"];
}
