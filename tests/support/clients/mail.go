// mail.go PORT implicit|starttls USER PASSWORD FILE
package main

import (
	"crypto/tls"
	"net/smtp"
	"os"
)

func must(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func main() {
	port, how, user, password := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	text, err := os.ReadFile(os.Args[5])
	must(err)
	settings := &tls.Config{InsecureSkipVerify: true}
	var client *smtp.Client
	if how == "implicit" {
		connection, err := tls.Dial("tcp", "127.0.0.1:"+port, settings)
		must(err)
		client, err = smtp.NewClient(connection, "127.0.0.1")
		must(err)
	} else {
		client, err = smtp.Dial("127.0.0.1:" + port)
		must(err)
		must(client.StartTLS(settings))
	}
	must(client.Auth(smtp.PlainAuth("", user, password, "127.0.0.1")))
	must(client.Mail(user))
	must(client.Rcpt("bob@example.net"))
	data, err := client.Data()
	must(err)
	_, err = data.Write(text)
	must(err)
	must(data.Close())
	must(client.Quit())
}
