# aio.py PORT implicit|starttls USER PASSWORD FILE
import asyncio
import ssl
import sys

import aiosmtplib

port, how, user, password, path = sys.argv[1:]
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with open(path, "rb") as f:
    text = f.read()


async def main():
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=int(port), use_tls=how == "implicit", start_tls=how == "starttls",
                             tls_context=context)
    await client.connect()
    await client.login(user, password)
    await client.sendmail(user, ["bob@example.net"], text, mail_options=["BODY=8BITMIME"])
    await client.quit()


asyncio.run(main())
