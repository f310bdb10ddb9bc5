"""texts: what this source tells and what it is made of, as text."""
import glob
import os
import re

import gateway as g

TOP, BUILD = g.TOP, g.BUILD
PAGES = {"sallyportd.8": f"{TOP}/doc/sallyportd.8", "sallyport.1": f"{TOP}/doc/sallyport.1",
         "sallyport.cfg.5": f"{BUILD}/doc/sallyport.cfg.5"}


def text_of(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def source(pattern):
    return "\n".join(text_of(p) for p in sorted(glob.glob(f"{TOP}/{pattern}", recursive=True)))


def reason_words():
    """Every word that the code gives a refusal, the end of a session, or the result of a delivery."""
    found = set(re.findall(r'#define REASON_\w+[\s\\]+"(\w+)"', text_of("src/relay/reason.h")))
    server, queue = source("src/submission/*.c"), source("src/queue/**/*.c")
    found |= set(re.findall(r'session_refuse(?:_with_detail)?\(\s*s, "\w+", "(\w+)"', server))
    found |= set(re.findall(r'(?:session_reply_close|fail_content|refuse_content|refuse_rcpt|give_up_auth)\(\s*s, "(\w+)"', server))
    found |= set(re.findall(r'\breason = "(\w+)"', server)) | set(re.findall(r'\[STREAM_\w+\] = "(\w+)"', server))
    found |= set(re.findall(r'struct listener_refusal \w+ = \{\s*"(\w+)"', server))
    for name in re.findall(r"^(\w+_reason)\(const struct smtp_status", server, re.M):
        body = re.search(rf"^{name}\(.*?^}}", server, re.M | re.S).group(0)
        found |= set(re.findall(r'"([a-z0-9_]+)"', body))
    found |= set(re.findall(r'"reason", (?:[^;"]*\? )?STR\("(\w+)"\)', queue)) | set(re.findall(r'\.reason = [^;]*STR\("(\w+)"\)', queue))
    found |= set(re.findall(r'\.reason = [^;]*\? STR\("(\w+)"\)', queue))
    put_back = re.search(r"^outcome_put_back\(.*?^}", queue, re.M | re.S).group(0)
    found |= set(re.findall(r'(?:return|\?) "(\w+)"', put_back))
    return found | set(re.findall(r'dispatch_(?:attempt_requeue|log_open)\([^;]*"(\w+)"\);', queue))
