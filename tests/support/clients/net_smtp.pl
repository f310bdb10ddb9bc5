# net_smtp.pl PORT implicit|starttls USER PASSWORD FILE
use strict;
use warnings;
use Net::SMTP;

my ($port, $how, $user, $password, $path) = @ARGV;
my %tls = (SSL_verify_mode => 0);
my $smtp = Net::SMTP->new('127.0.0.1', Port => $port, SSL => $how eq 'implicit', %tls) or die "connect: $@";
$how eq 'implicit' or $smtp->starttls(%tls) or die 'starttls: ' . $smtp->message;
$smtp->auth($user, $password) or die 'auth: ' . $smtp->message;
open(my $file, '<:raw', $path) or die "$path: $!";
my $text = do { local $/; <$file> };
$smtp->mail($user, Bits => '8') && $smtp->to('bob@example.net') && $smtp->data($text) or die $smtp->message;
$smtp->quit;
