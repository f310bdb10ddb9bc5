"""report_reader: a strict reader of delivery reports (RFC 3464, 6522, 6533): asserts what mail programs rely on.

`read(raw)` takes a message as a receiving host stored it and returns a Report, or raises AssertionError.
"""
import email
import email.policy
import re

FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9-]*:[ \t]*\S")
STATUS = {"failed": "45", "delayed": "4", "relayed": "2", "delivered": "2"}
ONCE = ("Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type")


class Report:
    """`message`: the parsed message; `text`: for people; `fields`, `recipients`: dictionaries; `original`: a part or None."""

    def __init__(self, message, text, fields, recipients, original):
        self.message, self.text, self.fields, self.recipients, self.original = message, text, fields, recipients, original

    def about(self, address):
        """Returns the block of that recipient, or None."""
        return next((r for r in self.recipients if r["Final-Recipient"].split(";", 1)[1] == address), None)


def is_report(raw):
    return b"multipart/report" in raw.split(b"\r\n\r\n", 1)[0].lower()


def _check_bytes(raw, is_utf8):
    assert b"\0" not in raw and raw.endswith(b"\r\n")
    for line in raw[:-2].split(b"\r\n"):
        assert len(line) <= 998, len(line)
        assert b"\r" not in line and b"\n" not in line
    if is_utf8:
        raw.decode("utf-8")
    else:
        assert all(c == 9 or c == 10 or c == 13 or 32 <= c < 127 for c in raw.split(b"\r\n--=_")[1]), "controls in the text"
        assert raw.isascii(), "8-bit bytes"


def _split(raw):
    """Returns the raw parts, split only by the boundary."""
    head, body = raw.split(b"\r\n\r\n", 1)
    boundary = re.search(rb'\r\n\tboundary="([^"]+)"', head + b"\r\n").group(1)
    assert body.count(boundary) == len(re.findall(rb"(?:^|\r\n)--" + re.escape(boundary) + rb"(?:--)?\r\n", body)), "boundary in a part"
    parts = re.split(rb"(?:^|\r\n)--" + re.escape(boundary) + rb"(?=\r\n|--\r\n)", body)
    assert parts[0] == b"" and parts[-1] == b"--\r\n", "nothing before the first part and behind the last"
    return [p[2:] for p in parts[1:-1]]


def _blocks(part, is_utf8):
    head, body = part.split(b"\r\n\r\n", 1)
    kind = b"message/global-delivery-status" if is_utf8 else b"message/delivery-status"
    assert re.search(rb"^Content-Type: " + kind + rb"\r?$", head, re.M), head
    blocks = []
    for text in body.strip(b"\r\n").split(b"\r\n\r\n"):
        block = {}
        for line in re.sub(rb"\r\n[ \t]+", b" ", text).split(b"\r\n"):
            assert FIELD.match(line), line
            name, value = line.decode("utf-8").split(":", 1)
            assert name not in block, f"{name} twice"
            block[name] = value.strip()
        blocks.append(block)
    return blocks


def _check_recipient(block):
    assert re.fullmatch(r"(rfc822|utf-8);\S.*", block["Final-Recipient"]), block
    assert block["Status"][0] in STATUS[block["Action"]] and re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", block["Status"]), block
    assert ("Will-Retry-Until" in block) == (block["Action"] == "delayed"), block
    assert re.fullmatch(r"dns; ([A-Za-z][\w.-]*|[\w.-]+\.[A-Za-z][\w-]*|\[[\w.:]+\])", block.get("Remote-MTA", "dns; x")), block
    assert "Remote-MTA" not in block or block["Diagnostic-Code"].startswith("smtp; "), block
    if block.get("Diagnostic-Code", "").startswith("smtp;"):
        assert re.match(r"smtp; [2-5]\d\d( \S|$)", block["Diagnostic-Code"]), block
    for name in ("Last-Attempt-Date", "Will-Retry-Until"):
        assert name not in block or email.utils.parsedate_to_datetime(block[name])


def read(raw):
    message = email.message_from_bytes(raw, policy=email.policy.default)
    is_utf8 = message.get_param("report-type") == "global-delivery-status"
    _check_bytes(raw, is_utf8)
    for name in ONCE:
        assert len(message.get_all(name, [])) == 1, name
    assert message["Auto-Submitted"] == "auto-replied"
    assert is_utf8 or message.get_param("report-type") == "delivery-status"
    parts = _split(raw)
    assert len(parts) in (2, 3) and len(message.get_payload()) == len(parts)
    assert not message.defects and not any(p.defects for p in message.walk()), [p.defects for p in message.walk()]
    blocks = _blocks(parts[1], is_utf8)
    assert blocks[0]["Reporting-MTA"].startswith("dns; ") and email.utils.parsedate_to_datetime(blocks[0]["Arrival-Date"])
    assert len(blocks) > 1
    for block in blocks[1:]:
        _check_recipient(block)
    text = message.get_payload()[0].get_content()
    return Report(message, text, blocks[0], blocks[1:], message.get_payload()[2] if len(parts) == 3 else None)


def of(sink):
    """Returns all reports at the receiving host, each checked."""
    return [read(raw) for raw in sink.messages() if is_report(raw)]
