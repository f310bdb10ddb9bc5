// emailjs.mjs PORT implicit|starttls USER PASSWORD SUBJECT; emailjs is beside it, in node_modules
// It sends the text as it is, so this has the line ends of mail, and the dot that the protocol wants doubled.
import { SMTPClient } from 'emailjs';

const [port, how, user, password, subject] = process.argv.slice(2);
const tls = { rejectUnauthorized: false };
const client = new SMTPClient({
  user, password, host: '127.0.0.1', port: +port, ssl: how === 'implicit' && tls, tls: how === 'starttls' && tls,
});
await client.sendAsync({ from: `Alice <${user}>`, to: 'bob@example.net', subject, text: 'Grüße\r\n..a line with a dot\r\n' });
