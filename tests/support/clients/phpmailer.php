<?php
// phpmailer.php PORT implicit|starttls USER PASSWORD SUBJECT
require_once 'libphp-phpmailer/autoload.php';

[, $port, $how, $user, $password, $subject] = $argv;
$mail = new PHPMailer\PHPMailer\PHPMailer(true);
$mail->isSMTP();
$mail->Host = '127.0.0.1';
$mail->Port = (int) $port;
$mail->SMTPSecure = $how === 'implicit' ? 'ssl' : 'tls';
$mail->SMTPOptions = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]];
$mail->SMTPAuth = true;
$mail->Username = $user;
$mail->Password = $password;
$mail->CharSet = 'UTF-8';
$mail->setFrom($user, 'Alice Grün');
$mail->addAddress('bob@example.net');
$mail->Subject = $subject;
$mail->Body = "Grüße\n.a line with a dot\n";
$mail->AltBody = '';
$mail->send();
