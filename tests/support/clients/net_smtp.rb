# net_smtp.rb PORT implicit|starttls USER PASSWORD FILE
require 'net/smtp'

port, how, user, password, path = ARGV
smtp = Net::SMTP.new('127.0.0.1', port.to_i)
context = OpenSSL::SSL::SSLContext.new
context.verify_mode = OpenSSL::SSL::VERIFY_NONE
how == 'implicit' ? smtp.enable_tls(context) : smtp.enable_starttls(context)
smtp.start('client.example.com', user, password, :plain) do |session|
  session.send_message(File.binread(path), user, 'bob@example.net')
end
