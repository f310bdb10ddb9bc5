// Mail.java PORT implicit|starttls USER PASSWORD SUBJECT
import java.util.Properties;
import javax.mail.Message;
import javax.mail.Session;
import javax.mail.Transport;
import javax.mail.internet.InternetAddress;
import javax.mail.internet.MimeMessage;

public class Mail {
    public static void main(String[] args) throws Exception {
        boolean implicit = args[1].equals("implicit");
        String protocol = implicit ? "smtps" : "smtp";
        Properties p = new Properties();
        p.put("mail." + protocol + ".auth", "true");
        p.put("mail." + protocol + ".ssl.trust", "*");
        p.put("mail.smtp.starttls.enable", "true");
        p.put("mail.smtp.starttls.required", "true");
        Session session = Session.getInstance(p);
        MimeMessage message = new MimeMessage(session);
        message.setFrom(new InternetAddress(args[2], "Alice Gr\u00fcn", "UTF-8"));
        message.setRecipient(Message.RecipientType.TO, new InternetAddress("bob@example.net"));
        message.setSubject(args[4]);
        message.setText("Gr\u00fc\u00dfe\n.a line with a dot\n", "UTF-8");
        message.saveChanges();
        try (Transport transport = session.getTransport(protocol)) {
            transport.connect("127.0.0.1", Integer.parseInt(args[0]), args[2], args[3]);
            transport.sendMessage(message, message.getAllRecipients());
        }
    }
}
