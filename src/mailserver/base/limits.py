"""Every bound on what a peer may ask for, with its default.  The configuration's `limits:` fills these."""

from dataclasses import dataclass, field

from mailserver.base.rate_limits import RatesLimits


@dataclass(frozen=True, slots=True)
class MimeLimits:
    """What the MIME scanner looks at; beyond a bound the rest of the message is opaque text, never an error."""

    depth: int = 100  # nested multiparts and message/rfc822
    parts: int = 10_000
    parameters: int = 100  # of one Content-Type or Content-Disposition
    header_size: int = 1_048_576  # octets of one header block that are parsed
    headers_size: int = (
        4_194_304  # octets of all header blocks of a message together that are parsed
    )
    addresses: int = 5_000  # of one address field; of all such fields in embedded messages together


@dataclass(frozen=True, slots=True)
class SmtpLimits:
    """One SMTP connection."""

    message_size: int = 52_428_800  # octets; announced as SIZE (RFC 1870)
    recipients: int = 1_000  # of one transaction; at least 100 (RFC 5321 §4.5.3.1.8)
    line_size: int = (
        2_048  # octets of a command line with its CRLF; AUTH lines may have 12,288 (RFC 4954 §4)
    )
    errors: int = 20  # refused commands before the connection is ended
    refused_recipients: int = 100  # recipients refused for good before the connection is ended
    idle_commands: int = 100  # commands without a message before the connection is ended
    error_delay_s: float = (
        1.0  # pause before an answer once half of `errors` are made, then growing
    )
    longest_error_delay_s: float = 10.0
    transactions: int = 1_000  # messages on one connection
    idle_timeout_s: float = 300.0  # RFC 5321 §4.5.3.2
    data_timeout_s: float = 180.0  # between two pieces of DATA
    data_rate: int = (
        500  # octets a second that DATA must bring in the long run, after data_timeout_s
    )
    hops: int = 50  # Received fields before a message counts as looping (RFC 5321 §6.3)
    auth_failures: int = 3  # before the connection is ended
    greeting_delay_s: float = 0.0
    hold_s: int = 2_592_000  # how long a user may have a message held back (RFC 4865)


@dataclass(frozen=True, slots=True)
class ImapLimits:
    """One IMAP connection."""

    command_size: int = 1_048_576  # octets of one command with its literals, APPEND's message apart
    literal_size: int = 65_536  # octets of one such literal
    prelogin_command_size: int = 16_384  # both bounds, before log-in
    append_size: int = 52_428_800  # octets of an appended message (APPENDLIMIT)
    append_messages: int = 1_000  # in one APPEND, which is one transaction (RFC 3502)
    append_total: int = 268_435_456  # octets of all of them
    catenate_parts: int = 1_000  # texts and URLs of which one message is made (RFC 4469)
    nesting: int = 50  # parentheses in one command
    set_ranges: int = 10_000  # ranges in one sequence-set
    fetch_items: int = 500  # data items of one FETCH
    search_keys: int = 2_000  # keys of one SEARCH, NOT and OR and parentheses included
    contexts: int = 20  # searches that are kept up to date for one session (CONTEXT)
    context_messages: int = 1_000_000  # in all of them together; the first one may have more
    searched_mailboxes: int = 10_000  # in one ESEARCH (MULTISEARCH)
    flagged_messages: int = 4_000_000  # whose flags a process remembers, of all mailboxes together
    sorted_messages: int = 2_000_000  # whose order a process remembers, of all mailboxes together
    threaded_messages: int = 1_000_000  # the same, whose relatives it remembers
    saved_messages: int = 1_000_000  # that "$" stands for in one session (SEARCHRES)
    idle_timeout_s: float = 1_860.0  # at least 30 minutes (RFC 9051 §5.4)
    prelogin_timeout_s: float = 180.0
    write_timeout_s: float = 300.0  # how long a client may take nothing of what is sent to it
    errors: int = 20  # BAD answers in a row before the connection is ended
    auth_failures: int = 5  # before the connection is ended
    auth_delay_s: float = 1.0  # before each of them is answered
    mailboxes: int = 10_000  # of one account
    mailbox_name_size: int = 1_000  # octets in UTF-8
    mailbox_depth: int = 50
    keywords: int = 500  # different ones in one mailbox
    keyword_size: int = 200
    notify_mailboxes: int = 10_000  # that a client may see and be told events of (NOTIFY)
    annotation_size: int = 32_768  # octets of one annotation (RFC 5464)
    annotation_name_size: int = 500  # octets of the name of an entry
    annotations: int = 100  # of one mailbox, or of the server, by one account
    annotations_size: int = 10_485_760  # octets of all annotations of an account
    acl_entries: int = 200  # of one mailbox: users and groups that it is shared with
    copy_messages: int = 50_000  # in one COPY, which is one transaction
    withheld: tuple[str, ...] = ()  # capabilities that are not announced: ["UIDONLY"]
    expunged_kept: int = (
        100_000  # UIDs that left a mailbox and are remembered for clients that synchronise
    )


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """All connections of one worker process."""

    total: int = 10_000
    per_address: int = 1_000  # an IPv4 address, an IPv6 /64
    unauthenticated: int = 2_000
    tls_handshake_s: float = 30.0
    proxy_header_s: float = 5.0  # how long a proxy may take to say who its client is
    spool_memory: int = (
        2_097_152  # octets of an incoming message held in memory; a larger one goes to a file
    )
    input_memory: int = (
        134_217_728  # octets of unfinished commands and messages of all connections together
    )


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """The queue and the mail that leaves."""

    retry_first_s: float = 300.0  # after the first attempt; then growing (RFC 5321 §4.5.4.1)
    retry_longest_s: float = 14_400.0
    retry_growth: float = 2.0  # each time so many times longer
    retry_jitter: float = 0.1  # of each wait, more or less by chance
    expire_s: float = 432_000.0  # given up after that; RFC 5321 §4.5.4.1 wants at least 4 days
    notice_expire_s: float = 86_400.0  # the same, for notices to senders
    returned_size: int = 65_536  # octets of a message that a notice gives back in full
    warn_after_s: float = 14_400.0  # the sender is told of the delay
    back_off_first_s: float = 60.0  # rest of a destination that could not be reached; then growing
    back_off_longest_s: float = 1_800.0
    connections: int = 200  # at work at the same time
    slow_connections: int = 1_000  # besides, those that have waited for an answer for a while
    slow_after_s: float = 2.0  # that while
    per_destination_first: int = 2  # connections to one destination; more after successes
    per_destination: int = 20
    per_connection: int = 100  # messages
    recipients: int = 100  # of one transaction
    hosts: int = 5  # addresses of a destination that one attempt tries
    idle_connection_s: float = 5.0  # kept open for the next message
    memory: int = 33_554_432  # octets of messages on their way out that are held at the same time
    suppress_days: float = 30.0  # nothing is sent to an address that does not exist
    history_s: float = 259_200.0  # what is done stays listed
    messages: int = 1_000_000  # above, mail that would have to wait is refused for now
    per_account: int = 10_000  # messages of one account that wait
    bulk_after: int = (
        200  # so many of them, or recipients of one: what is more lets others go first
    )


@dataclass(frozen=True, slots=True)
class TraceLimits:
    """What is remembered of mail transactions, for `mailserver explain`."""

    age_days: float = 30.0
    size: int = 268_435_456  # octets of log.db, refusals making room first
    waiting: int = 50_000  # recipients and verdicts in memory that are not written yet


@dataclass(frozen=True, slots=True)
class OutboundLimits:
    """One connection to another server: how long each step may take (RFC 5321 §4.5.3.2), how much it may say."""

    connect_s: float = 30.0
    tls_handshake_s: float = 60.0
    greeting_s: float = 300.0
    command_s: float = 300.0  # EHLO, STARTTLS, AUTH, RSET, MAIL, RCPT
    data_s: float = 120.0  # the reply to DATA
    block_s: float = 180.0  # until the server takes the next piece of the message
    end_s: float = (
        600.0  # the reply to the end of the message; too short means mail delivered twice
    )
    quit_s: float = 5.0  # the reply to QUIT, which nothing depends on
    reply_size: int = 65_536  # octets of one reply with all its lines


@dataclass(frozen=True, slots=True)
class DnsLimits:
    """Questions to resolvers, and what is remembered of their answers."""

    try_s: float = 3.0  # one question to one resolver
    rounds: int = 2  # over all resolvers, of which the first three are asked
    total_s: float = 20.0  # one look-up with all its questions
    questions: int = 1_000  # at the same time; strangers may ask for names that nobody answers for
    waiting: int = 10_000  # look-ups that are under way or wait for their turn
    cache_entries: int = 20_000
    cache_size: int = 33_554_432  # octets of memory that they take
    cache_longest_s: float = 86_400.0  # whatever a record says of itself
    negative_longest_s: float = 3_600.0  # the same for "there is none" (RFC 2308 §5)
    failure_s: float = 15.0  # a failure is believed so long (RFC 9520 §3.2)
    records: int = 100  # of one answer that are looked at


@dataclass(frozen=True, slots=True)
class SpfLimits:
    """One evaluation of SPF records (RFC 7208 §4.6.4), and of the names of a client (iprev)."""

    lookups: int = 10  # terms that ask the DNS
    voids: int = 2  # of them that may find nothing
    names: int = 10  # hosts of one MX or PTR answer
    record_size: int = 8_192  # octets of a record that is read
    explanation_size: int = 400  # characters of a domain's own explanation that are passed on


@dataclass(frozen=True, slots=True)
class StsLimits:
    """MTA-STS policies of other domains."""

    policies: int = 10_000  # that are kept; those unused for longest go first
    policy_size: int = 65_536  # octets of one (RFC 8461 §3.3)
    record_s: float = 5.0  # the look-up of a domain's record, for which every connection waits
    fetch_s: float = 30.0  # one fetch, for which a first message waits
    fetches: int = 10  # at the same time
    retry_s: float = 300.0  # after a fetch that failed (RFC 8461 §3.3)
    refresh_s: float = 86_400.0  # after one that did not, without waiting for mail
    unused_s: int = 2_592_000  # policies that no mail needed for so long run out


@dataclass(frozen=True, slots=True)
class OverloadLimits:
    """When a worker process turns newcomers away: other servers at these thresholds, users at twice as much."""

    loop_lag_s: float = 3.0  # how late the event loop is
    input_memory: float = 0.8  # of connections.input_memory
    writer_jobs: int = 5_000  # that wait for the database
    ends_at: float = 0.5  # of a threshold, all of them below for two seconds


@dataclass(frozen=True, slots=True)
class CalloutLimits:
    """Asking the primary servers of a backup domain about its addresses, while a client waits for the answer."""

    total_s: float = 30.0  # one question, connecting included
    questions: int = 50  # at the same time
    per_domain: int = 5
    known_s: float = 604_800.0  # an address that there is, is believed so long
    stale_s: int = 2_678_400  # and so long while nobody can be asked
    unknown_s: float = 7_200.0  # one that there is not
    undecided_s: float = 60.0  # nobody could be asked


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """The text index, `search.db`."""

    text_size: int = (
        4_194_304  # characters of a message's text that it holds; the rest is read when asked for
    )
    file_size: int = 68_719_476_736  # octets of search.db above which nothing is added
    attachments: int = 50  # documents of one message that are read
    attachment_size: int = 33_554_432  # octets of a document that is read
    attachment_text: int = 1_048_576  # characters of its text that are kept
    attachment_time_s: float = 10.0  # of processor time for reading it
    attachment_memory: int = 536_870_912  # octets of memory for reading it


@dataclass(frozen=True, slots=True)
class SieveLimits:
    """One Sieve script, and one run of it."""

    script_size: int = 1_048_576  # octets
    scripts: int = 100  # of one account, domain, or of the server
    scripts_size: int = 10_485_760  # octets of all of them
    versions: int = 20  # former versions that are kept of each
    commands: int = 20_000  # commands and tests in one script
    nesting: int = 32  # blocks in blocks, tests in tests; at least 15 (RFC 5228 §2.10.7)
    string_size: int = 262_144  # characters of one string in a script
    list_items: int = 10_000  # strings in one list
    includes: int = 50  # scripts that one includes, those that these include counted (RFC 6609)
    include_depth: int = 10
    steps: int = 200_000  # of one run: commands, tests, comparisons, pieces of long texts
    actions: int = 100  # of one run, each mailbox and address counted once
    redirects: int = 10  # of one run
    notifications: int = 5  # of one run (RFC 5435)
    notify_recipients: int = 8  # of one notification
    notify_hourly: int = 30  # notifications of one account in an hour (RFC 5436 §5)
    variables: int = 250  # at least 128 (RFC 5229 §6)
    variable_size: int = 65_536  # characters of a variable's value; the rest is cut off
    edits: int = 200  # header fields added by one run (RFC 5293)
    regex_size: int = 2_000  # characters of a regular expression
    events: int = (
        1_000  # commands of one account's mailboxes whose events wait for scripts (RFC 6785)
    )
    event_size: int = 52_428_800  # octets of a message that scripts for events look at
    lists: int = 100  # that filters can ask for; of one account, domain, or of the server
    list_entries: int = 10_000  # in all of them
    body_size: int = 4_194_304  # octets of decoded text that `body` and `extracttext` look at
    rules: int = 200  # of the settings of one account
    undo_days: int = 30  # for which a script that was applied to a mailbox can be undone
    changes: int = 100  # parts replaced and messages enclosed by one run (RFC 5703)
    changed_size: int = 4_194_304  # octets of what it puts there


@dataclass(frozen=True, slots=True)
class ContactLimits:
    """Address books of one account, and the cards in them."""

    books: int = 20
    cards: int = 10_000  # in one book
    card_size: int = 1_048_576  # octets of one card, its picture included
    size: int = 104_857_600  # octets of all cards of an account
    properties: int = 1_000  # of one card
    addresses: int = 100  # mail addresses in one card


@dataclass(frozen=True, slots=True)
class ManageSieveLimits:
    """One ManageSieve connection."""

    idle_timeout_s: float = 1_800.0  # RFC 5804 §1.2
    prelogin_timeout_s: float = 180.0
    errors: int = 20  # NO to what cannot be read, in a row, before the connection is ended
    auth_failures: int = 5  # before the connection is ended
    auth_delay_s: float = 1.0  # before each of them is answered


@dataclass(frozen=True, slots=True)
class ReportLimits:
    """Reports on mail authentication and TLS: what is counted for them, and those that come."""

    rows: int = 10_000  # different ones of one domain and day; the rest is only a number
    domains: int = 20_000  # of one day that anything is counted for
    size: int = 268_435_456  # octets of reports.db above which nothing more is counted
    waiting: int = 20_000  # different rows in memory that are not written yet
    kept: int = 50_000  # reports of others that are kept; then the oldest go
    age_days: float = 400.0  # reports, sent and received, are remembered
    attached: int = 10_485_760  # octets of a report as it comes
    unpacked: int = 16_777_216  # octets of it once it is unpacked
    records: int = 20_000  # of one report that comes
    failures_per_hour: int = 5  # reports on single messages to one domain, from each worker


@dataclass(frozen=True, slots=True)
class DkimLimits:
    """Signatures of one message: DKIM's, and those of ARC."""

    signatures: int = 10  # DKIM signatures that are looked at (RFC 6376 §6.1)
    least_rsa_bits: int = 1_024  # of a key; fewer would break RFC 8301 §3.2
    most_rsa_bits: int = 8_192  # at least 4,096 (RFC 8301 §3.2)
    header_size: int = 1_048_576  # octets of a header with signatures that are looked at
    signature_size: int = 32_768  # octets of one signature field
    signed_fields: int = 1_000  # names in one h=
    record_size: int = 8_192  # octets of a key's DNS record
    clock_skew_s: int = 300  # how far in the future a signature may have been made


@dataclass(frozen=True, slots=True)
class AuthenticationLimits:
    """Mail authentication of one message that comes in."""

    wait_s: float = 10.0  # for look-ups once it is complete; what has no answer then is temporary
    remembered: int = (
        2_000  # results of each kind of check, while the answers of the DNS hold; 0: none
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """All of them."""

    mime: MimeLimits = field(default_factory=MimeLimits)
    smtp: SmtpLimits = field(default_factory=SmtpLimits)
    imap: ImapLimits = field(default_factory=ImapLimits)
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    queue: QueueLimits = field(default_factory=QueueLimits)
    traces: TraceLimits = field(default_factory=TraceLimits)
    outbound: OutboundLimits = field(default_factory=OutboundLimits)
    dns: DnsLimits = field(default_factory=DnsLimits)
    spf: SpfLimits = field(default_factory=SpfLimits)
    mta_sts: StsLimits = field(default_factory=StsLimits)
    callout: CalloutLimits = field(default_factory=CalloutLimits)
    rates: RatesLimits = field(default_factory=RatesLimits)
    overload: OverloadLimits = field(default_factory=OverloadLimits)
    search: SearchLimits = field(default_factory=SearchLimits)
    sieve: SieveLimits = field(default_factory=SieveLimits)
    contacts: ContactLimits = field(default_factory=ContactLimits)
    managesieve: ManageSieveLimits = field(default_factory=ManageSieveLimits)
    reports: ReportLimits = field(default_factory=ReportLimits)
    dkim: DkimLimits = field(default_factory=DkimLimits)
    authentication: AuthenticationLimits = field(default_factory=AuthenticationLimits)
