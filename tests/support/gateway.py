"""gateway: a Sallyport for one test: configuration, account, DNS, receiving host, log.

Everything is below one directory and listens on free loopback ports; nothing remains after the test.
"""
import itertools
import json
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time

TOP = os.environ.get("TOP_SRCDIR") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("TOP_BUILDDIR") or os.path.join(TOP, "build")
PASSWORD = "jolly-otter-4417"


def test_user():
    """The user of the roles when a test runs as root: `sallyport-test` if it exists (useradd --system sallyport-test), else
    `daemon`, which every Debian has.  None: the caller is not root, and everything runs as the caller."""
    if os.getuid():
        return None
    for name in ("sallyport-test", "daemon"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise AssertionError("neither sallyport-test nor daemon is a user here")


def is_sanitized():
    """True if the daemon was built with AddressSanitizer, which keeps freed memory for a while."""
    with open(f"{BUILD}/sallyportd", "rb") as f:
        return b"__asan_init" in f.read()


PORTS_EACH = 200
PORT_SETS = 110


def own_ports():
    """Ports below those that the kernel assigns to connections (from 32768), which could be in use before the test binds them.
    Each process has a set of its own, so that no two tests choose the same port at the same time: it reserves the set by a
    socket with an abstract name, which is unique in a network namespace, as ports are.  Returns that socket, and an endless
    iterator over the ports."""
    for n in range(PORT_SETS):
        which = (os.getpid() + n) % PORT_SETS
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0sallyport-test-ports-{which}")
        except OSError:
            mark.close()
            continue
        return mark, itertools.cycle(range(10000 + which * PORTS_EACH, 10000 + (which + 1) * PORTS_EACH))
    raise AssertionError("all sets of ports are in use")


PORTS_MARK, PORTS = own_ports()


def free_port():
    for port in itertools.islice(PORTS, PORTS_EACH):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("none of this test's ports is free")


def wait_for(what, seconds, question, every=0.02):
    """Returns the first true answer; raises AssertionError when there is none in time."""
    until = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(every)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def certificate(directory, name="mail.example.com", kind="ecdsa", stem="tls"):
    """Creates a self-signed certificate and its key; returns both file names."""
    os.makedirs(directory, exist_ok=True)
    key, cert = f"{directory}/{stem}.key", f"{directory}/{stem}.crt"
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] if kind == "ecdsa" else ["-newkey", "rsa:2048"]
    subprocess.run(["openssl", "req", "-x509", *new, "-nodes", "-days", "30", "-keyout", key, "-out", cert,
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)
    os.chmod(key, 0o600)
    return cert, key


class Dns:
    """knotd with signed zones; `zones`: name -> zone text (without SOA and NS)."""

    def __init__(self, directory, zones):
        self.directory, self.port = f"{directory}/dns", free_port()
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(f"{directory}/zones", exist_ok=True)
        files = []
        for name, text in zones.items():
            path = f"{directory}/zones/{name}.zone"
            with open(path, "w", encoding="ascii") as f:
                f.write(f"$TTL 60\n@ SOA ns.{name}. hostmaster.{name}. 1 3600 600 86400 60\n@ NS ns.{name}.\n"
                        f"ns A 127.0.0.1\n{text}\n")
            files.append(path)
        run = subprocess.run([f"{TOP}/tests/support/dns-up", self.directory, str(self.port), *files],
                             capture_output=True, text=True, check=False)
        if run.returncode:
            raise AssertionError(f"dns-up: {run.stdout}{run.stderr}")

    @property
    def config(self):
        return f'dns: {{ resolver = "127.0.0.1@{self.port}"; trust_anchor = "{self.directory}/anchor"; }};'

    def stop(self):
        subprocess.run([f"{TOP}/tests/support/dns-down", self.directory], check=False, capture_output=True)


class Sink:
    """The project's own receiving host; messages are kept as files."""

    def __init__(self, directory, *options, port=0):
        self.directory = f"{directory}/sink"
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        self.process = subprocess.Popen(
            [f"{BUILD}/sink", "--port", str(port), "--directory", self.directory, *options],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.port = int(line.split()[1])

    def count(self):
        return len([n for n in os.listdir(self.directory) if n.endswith(".eml")])

    def message(self, number=1):
        with open(f"{self.directory}/{number}.eml", "rb") as f:
            return f.read()

    def envelope(self, number=1):
        with open(f"{self.directory}/{number}.env", encoding="utf-8") as f:
            return f.read()

    def messages(self):
        names = sorted((n for n in os.listdir(self.directory) if n.endswith(".eml")), key=lambda n: int(n[:-4]))
        for name in names:
            with open(f"{self.directory}/{name}", "rb") as f:
                yield f.read()

    def wait(self, count, seconds=20):
        wait_for(f"{count} messages at the receiving host", seconds, lambda: self.count() >= count)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


def state_of(pid):
    """The state of a process as proc(5) has it; X: it does not exist any more."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def is_running(pid):
    """False also for a killed process that is not reaped yet."""
    return state_of(pid) not in "ZX"


def signal_process(pid, number):
    """Sends the signal, unless the process has ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def process_table():
    """(pid, parent, session) of every process."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        yield int(name), int(fields[1]), int(fields[3])


class Gateway:
    """One sallyportd.  `extra`: more configuration; `replace`: key -> text instead of the default one."""

    def __init__(self, directory, routes="", extra="", user="alice@example.com", debug=False, **replace):
        self.directory = os.path.abspath(directory)
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory, 0o755)
        self.smtps, self.submission = free_port(), free_port()
        self.config, self.log_file = f"{self.directory}/sallyport.cfg", f"{self.directory}/log"
        self.user, self.process, self.debug = user, None, debug
        cert, key = certificate(self.directory)
        parts = {
            "hostname": 'hostname = "mail.example.com";',
            "listen": f'listen: ( {{ address = "127.0.0.1"; port = {self.smtps}; tls = "implicit"; }},\n'
                      f'          {{ address = "127.0.0.1"; port = {self.submission}; tls = "starttls"; }} );',
            "tls": f'tls: {{ certificate = "{cert}"; private_key = "{key}"; }};',
            "domains": 'domains: ( { name = "example.com"; } );',
            "auth": 'auth: { backends = ( "users" ); };',
            "queue": f'queue: {{ directory = "{self.directory}/spool"; retry = [ "1s" ]; minimum_free = "1%"; }};',
            "state": f'state_directory = "{self.directory}/state";\nrun_directory = "{self.directory}/run";',
            "log": f'log: {{ target = "file:{self.log_file}"; }};',
        }
        # so that a test that counts mail gets no notices; a test of notices sets notices=""
        parts["notices"] = "notices = false;"
        if test_user():
            parts["user"] = f'user = "{test_user().pw_name}";'
        parts.update(replace)
        self.parts, self.routes, self.extra = parts, routes, extra
        self.write_config()

    def write_config(self):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("\n".join([*self.parts.values(), self.routes, self.extra, ""]))

    # ---- start and stop ----

    def start(self, wait=True, arguments=()):
        options = [*(["-d"] if self.debug else []), *arguments]
        wrapper = os.environ.get("SALLYPORTD_WRAPPER", "").split()
        environment = dict(os.environ)
        if wrapper:  # LeakSanitizer does not work in a process that is traced
            environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        self.stderr = open(f"{self.directory}/stderr", "ab")
        self.process = subprocess.Popen([*wrapper, f"{BUILD}/sallyportd", *options, "-c", self.config], env=environment,
                                        stdout=self.stderr, stderr=self.stderr, start_new_session=True)
        self.stderr.close()
        if wait:
            wait_for(f"sallyportd is ready ({self.tail()})", 30, self.is_ready)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"sallyportd ended with {self.process.returncode}: {self.tail()}")
        return self.banner()

    def banner(self):
        try:
            with socket.create_connection(("127.0.0.1", self.submission), 1) as s:
                s.settimeout(2)
                return s.recv(3) == b"220"
        except OSError:
            return False

    def tail(self):
        text = ""
        for name in (f"{self.directory}/stderr", self.log_file):
            if os.path.exists(name):
                with open(name, encoding="utf-8", errors="replace") as f:
                    text += "".join(f.readlines()[-8:])
        return text

    def ended(self, seconds=20):
        """Starts a daemon that ends by itself; exit status and what it said on standard error."""
        self.start(wait=False)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill_group()
            raise AssertionError(f"it does not end: {self.tail()}") from None
        with open(f"{self.directory}/stderr", encoding="utf-8") as f:
            return status, f.read()

    def kill_group(self):
        """Kills all processes at once, as a power cut would: all are stopped first, so that none reacts to the end of
        another."""
        until = time.monotonic() + 10
        stopped = set()
        while new := set(self.session()) - stopped:
            for pid in new:
                signal_process(pid, signal.SIGSTOP)
            stopped |= new
        while any(state_of(pid) in "RS" for pid in stopped) and time.monotonic() < until - 5:
            time.sleep(0.001)
        while left := self.session():
            for pid in left:
                signal_process(pid, signal.SIGKILL)
            if time.monotonic() > until:
                raise AssertionError(f"do not end: {left}")
            time.sleep(0.01)
        self.process.wait(10)

    def session(self):
        """Its running processes: main, the roles, which have their own process groups, a wrapper."""
        return [pid for pid, _, session in process_table() if session == self.process.pid and is_running(pid)]

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        os.kill(self.main_pid(), signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill_group()
            raise AssertionError(f"sallyportd does not stop: {self.tail()}") from None

    # ---- tools ----

    def tool(self, *words, given=None, check=True):
        run = subprocess.run([f"{BUILD}/sallyport", "-c", self.config, *words], input=given, text=True,
                             capture_output=True, check=False, timeout=60)
        if check and run.returncode:
            raise AssertionError(f"sallyport {' '.join(words)}: exit {run.returncode}: {run.stdout}{run.stderr}")
        return run

    def add_user(self, user=None, password=PASSWORD):
        self.tool("user", "add", user or self.user, "--password-stdin", given=password + "\n")
        return self

    def queue(self, *words):
        out = self.tool("queue", "list", "--json", *words).stdout
        return [json.loads(line) for line in out.splitlines()]

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, seconds=20):
        found = re.compile(pattern, re.M)
        return wait_for(f"log line {pattern!r}", seconds,
                        lambda: os.path.exists(self.log_file) and found.search(self.log()))

    def main_pid(self):
        """The process id of main, also below a wrapper."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            children = f.read().split()
        return int(children[0]) if os.environ.get("SALLYPORTD_WRAPPER") and children else self.process.pid

    def processes(self):
        """pid -> (role, index) of the running roles."""
        found = {}
        for pid, parent, _ in process_table():
            if parent != self.process.pid:
                continue
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
            except OSError:
                continue
            if len(words) > 3 and words[1] == b"--role":
                found[pid] = (words[2].decode(), int(words[3]))
        return found

    # ---- clients ----

    def connect(self, login=True, implicit=True, user=None, password=PASSWORD):
        """An smtplib client after EHLO, inside TLS, logged in."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if implicit:
            client = smtplib.SMTP_SSL("127.0.0.1", self.smtps, context=context, timeout=60)
        else:
            client = smtplib.SMTP("127.0.0.1", self.submission, timeout=60)
            client.starttls(context=context)
        client.ehlo("client.example.com")
        if login:
            client.login(user or self.user, password)
        return client

    def send(self, recipients=("bob@example.net",), text="Hello\r\n", subject="test", sender=None, client=None):
        own = client or self.connect()
        sender = sender or self.user
        data = f"From: <{sender}>\r\nTo: <{recipients[0]}>\r\nSubject: {subject}\r\n\r\n{text}"
        own.mail(sender)
        for recipient in recipients:
            code, reply = own.rcpt(recipient)
            if code != 250:
                raise AssertionError(f"RCPT {recipient}: {code} {reply}")
        code, reply = own.data(data.encode())
        if not client:
            own.quit()
        return code, reply.decode()

    def recipients_allowed(self, tried=4):
        """Returns how many of `tried` recipients of one message are accepted: the limit as submission applies it."""
        client = self.connect()
        client.mail(self.user)
        codes = [client.rcpt(f"r{n}@example.net")[0] for n in range(tried)]
        client.rset()
        client.quit()
        return codes.count(250)


# ---- TAP ----

class Tap:
    """One case per function; a failure is printed with its traceback, and the other cases run."""

    def __init__(self):
        self.cases, self.failed = [], 0

    def case(self, function):
        self.cases.append(function)
        return function

    def run(self):
        import traceback
        print(f"1..{len(self.cases)}", flush=True)
        for number, function in enumerate(self.cases, 1):
            name = (function.__doc__ or function.__name__).strip().splitlines()[0]
            try:
                skip = function()
                print(f"ok {number} - {name}" + (f" # SKIP {skip}" if isinstance(skip, str) else ""), flush=True)
            except Exception:  # pylint: disable=broad-except
                self.failed += 1
                print(f"not ok {number} - {name}", flush=True)
                for line in traceback.format_exc().splitlines():
                    print(f"# {line}", flush=True)
        sys.exit(self.failed > 0)


def may_contain_spool(path):
    """As root the daemon creates nothing below a directory that another user can write (a source tree in a home)."""
    while os.getuid() == 0 and path != "/":
        path = os.path.dirname(path)
        if not os.path.exists(path):
            continue
        s = os.stat(path)
        if s.st_uid != 0 or (s.st_mode & 0o022 and not s.st_mode & 0o1000):
            return False
    return True


def workplace(name, parent="e2e"):
    """Creates a directory for this test, accessible to the users of the roles: below the build directory, or, if root may not
    create a spool there, in /var/tmp, with a symbolic link to it in the build directory."""
    path = f"{BUILD}/{parent}/{name}" if parent else f"{BUILD}/{name}"
    if os.path.islink(path):
        shutil.rmtree(os.readlink(path), ignore_errors=True)
        os.unlink(path)
    shutil.rmtree(path, ignore_errors=True)
    if may_contain_spool(path):
        os.makedirs(path, 0o755)
        return path
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    real = tempfile.mkdtemp(prefix=f"sallyport-{name}-", dir="/var/tmp")
    os.chmod(real, 0o755)
    os.symlink(real, path)
    return real
