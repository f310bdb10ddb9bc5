<?php
// pear.php PORT implicit|starttls USER PASSWORD FILE
require_once 'Net/SMTP.php';

[, $port, $how, $user, $password, $path] = $argv;
$tls = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]];
$host = ($how === 'implicit' ? 'ssl://' : '') . '127.0.0.1';
$smtp = new Net_SMTP($host, (int) $port, 'client.example.com', false, 30, $tls);
$steps = [
    fn() => $smtp->connect(),
    fn() => $smtp->auth($user, $password, '', $how === 'starttls'),
    fn() => $smtp->mailFrom($user),
    fn() => $smtp->rcptTo('bob@example.net'),
    fn() => $smtp->data(file_get_contents($path)),
];
foreach ($steps as $step) {
    $result = $step();
    if (PEAR::isError($result)) {
        fwrite(STDERR, $result->getMessage() . ' ' . implode(' ', $smtp->getResponse()) . "\n");
        exit(1);
    }
}
$smtp->disconnect();
