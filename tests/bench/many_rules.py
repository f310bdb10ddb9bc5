#!/usr/bin/env python3
"""many_rules [ROUNDS]: what a large configuration costs each command.  Two gateways, one with 1 domain and 1 send-as rule, one
with 20,000 of both, get the same commands in turn, each time in a new session: MAIL that a rule allows, MAIL that none allows, and RCPT.
Prints the CPU time of submission (and of queue) per command, and the ratio of the two."""
import glob
import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
COMMANDS, GROUP = 8000, 100  # a session may say 10,000 commands without a message
HOME = g.workplace("many_rules", "bench")
ALLOWED, REFUSED = "role@d{last}.test", "stranger@d{last}.test"
KINDS = {  # the commands of one group; MAIL and RSET of an RCPT group are one in fifty
    "MAIL allowed": lambda last: [f"MAIL FROM:<{ALLOWED.format(last=last)}>", "RSET"] * (GROUP // 2),
    "MAIL refused": lambda last: [f"MAIL FROM:<{REFUSED.format(last=last)}>", "RSET"] * (GROUP // 2),
    "RCPT": lambda last: ["MAIL FROM:<alice@example.com>"] + [f"RCPT TO:<user{n}@example.net>" for n in range(GROUP - 2)] + ["RSET"],
}


class Subject:
    """A gateway with so many rows of each list, and one session of its user."""

    def __init__(self, rows):
        self.rows = rows
        domains = ",\n".join(f'{{name="{name}";}}' for name in ["example.com"] + [f"d{n}.test" for n in range(1, rows)])
        users = [f"u{n}@example.com" for n in range(1, rows)] + ["alice@example.com"]
        rules = ",\n".join(f'{{user="{user}";addresses=("role@d{n}.test");}}' for n, user in enumerate(users))
        self.gate = g.Gateway(
            f"{HOME}/{rows}", extra=f"sender_policy: {{ send_as = ( {rules} ); }};\n", domains=f"domains: ( {domains} );",
            limits='limits: { per_user = "100000000 recipients / 1h"; recipients_per_message = 1000; };').start()
        self.gate.add_user()
        self.session = load.Session(self.gate)

    def cpu_us(self, role):
        pids = [pid for pid, (name, _) in self.gate.processes().items() if name == role]
        spent_ns = 0
        for path in (p for pid in pids for p in glob.glob(f"/proc/{pid}/task/*/schedstat")):
            with open(path, encoding="ascii") as f:
                spent_ns += int(f.read().split()[0])
        return spent_ns / 1000

    def run(self, kind):
        """Microseconds of submission and queue per command."""
        lines = KINDS[kind](self.rows - 1)
        group = "".join(line + "\r\n" for line in lines).encode()
        self.session.close()
        self.session = load.Session(self.gate)
        before = self.cpu_us("submission"), self.cpu_us("queue")
        for _ in range(COMMANDS // len(lines)):
            self.session.socket.sendall(group)
            for _ in lines:
                self.session.reply()
        return tuple((self.cpu_us(role) - b) / COMMANDS for role, b in zip(("submission", "queue"), before))


def main():
    subjects = Subject(1), Subject(20000)
    try:
        for kind in KINDS:
            for subject in subjects:
                subject.run(kind)
            pairs = []
            for n in range(ROUNDS):
                found = {s: s.run(kind) for s in (subjects if n % 2 else subjects[::-1])}
                pairs.append(tuple(found[s] for s in subjects))
            def ratio(share):
                return statistics.median(share(p[1]) / share(p[0]) for p in pairs)

            one, many = (statistics.median(sum(p[i]) for p in pairs) for i in (0, 1))
            print(f"{kind}: {one:.2f} us a command with 1, {many:.2f} us with 20,000; ratio of submission {ratio(lambda x: x[0]):.3f}, "
                  f"with queue {ratio(sum):.3f} (target: at most 1.1)", flush=True)
    finally:
        for subject in subjects:
            subject.gate.stop()


main()
