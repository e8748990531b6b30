# Mail::DKIM on many messages at once: `mail_dkim.pl TASK KEYS FILE...`, an answer on a line for each FILE.
#
#   verify   results of the DKIM signatures, and why
#   arc      result of the ARC chain, and why
#   sign     FILE gets an rsa-sha256 signature of METHOD by the private key in KEYFILE, for DOMAIN and SELECTOR
#   seal     the same with an ARC set, continuing the chain whose result is CHAIN; SRVID names the results to seal
#
# KEYS: lines "NAME TEXT", the DNS.  The rest comes from the environment.
use strict;
use warnings;
use Mail::DKIM::Verifier;
use Mail::DKIM::Signer;
use Mail::DKIM::ARC::Verifier;
use Mail::DKIM::ARC::Signer;
use Mail::DKIM::TextWrap;
use Net::DNS;

my ($task, $keys, @files) = @ARGV;
my %zone;
open my $in, '<', $keys or die $!;
while (<$in>) { chomp; my ($name, $text) = split / /, $_, 2; $zone{lc $name} = $text; }
close $in;

no warnings 'redefine';
*Mail::DKIM::DNS::query = sub {
    my ($name, $type) = @_;
    my $text = $zone{lc $name};
    return unless defined $text;
    return Net::DNS::RR->new(name => $name, type => 'TXT', txtdata => [$text =~ /(.{1,255})/gs]);
};
use warnings 'redefine';

for my $file (@files) {
    open my $message, '<:raw', $file or die $!;
    my $text = do { local $/; <$message> };
    close $message;
    my %key = (Algorithm => 'rsa-sha256', Domain => $ENV{DOMAIN}, Selector => $ENV{SELECTOR}, KeyFile => $ENV{KEYFILE});
    my $judge =
        $task eq 'verify' ? Mail::DKIM::Verifier->new()
      : $task eq 'arc' ? Mail::DKIM::ARC::Verifier->new()
      : $task eq 'sign' ? Mail::DKIM::Signer->new(%key, Method => $ENV{METHOD})
      : Mail::DKIM::ARC::Signer->new(%key, Chain => $ENV{CHAIN}, SrvId => $ENV{SRVID});
    $judge->PRINT($text);
    $judge->CLOSE;
    if ($task eq 'verify') {
        print join(' | ', map { $_->selector . ' ' . $_->result_detail } $judge->signatures), "\n";
    } elsif ($task eq 'arc') {
        print $judge->result_detail, "\n";
    } else {
        die $judge->result_detail if $task eq 'seal' and $judge->result ne 'sealed';
        my $fields = $task eq 'sign' ? $judge->signature->as_string . "\r\n" : $judge->as_string;
        $fields =~ s/\r?\n/\r\n/g;
        $fields .= "\r\n" unless $fields =~ /\r\n\z/;
        open my $out, '>:raw', $file or die $!;
        print $out $fields, $text;
        close $out;
        print "done\n";
    }
}
