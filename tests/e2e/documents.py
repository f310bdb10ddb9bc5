#!/usr/bin/env python3
"""documents: what the documents say is so: configurations start, commands run, names exist, numbers agree."""
import base64
import fnmatch
import glob
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import servers  # noqa: E402

HOME = g.workplace("documents")
TOP, BUILD = g.TOP, g.BUILD
tap = g.Tap()
DEAD = 'routes: ( { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );'
gate = g.Gateway(f"{HOME}/gateway", routes=DEAD)
other = g.Gateway(f"{HOME}/other", routes=DEAD)  # started by the documents' own commands
WITH_SCRAM = 'mechanisms = [ "SCRAM-SHA-256", "PLAIN", "LOGIN" ];'
guessed = g.Gateway(f"{HOME}/guessed", routes=DEAD,
                    auth=f'auth: {{ {WITH_SCRAM} failure_limit = "3 failures / 1h"; }};')  # passwords are guessed here
PAGES = {"sallyportd.8": f"{TOP}/doc/sallyportd.8", "sallyport.1": f"{TOP}/doc/sallyport.1",
         "sallyport.cfg.5": f"{BUILD}/doc/sallyport.cfg.5"}
TEXTS = ["README", "tests/README.md", *sorted(os.path.relpath(p, TOP) for kind in ("doc/*.md", "doc/adr/*.md")
                           for p in glob.glob(f"{TOP}/{kind}"))]


def text_of(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def source(pattern):
    return "\n".join(text_of(p) for p in sorted(glob.glob(f"{TOP}/{pattern}", recursive=True)))


# ---- configurations ----

def made_real(text, where):
    """The same configuration on files of our own: each path that it reads or uses is made."""
    os.makedirs(where, exist_ok=True)
    hostname = re.search(r'hostname\s*=\s*"([^"]+)"', text)
    for stem in set(re.findall(r'"(/(?:etc|home/mail)/sallyport/[^"]+)\.(?:crt|key)"', text)):
        cert, key = g.certificate(where, hostname[1] if hostname else "mail.example.com", stem=os.path.basename(stem))
        text = text.replace(f'"{stem}.crt"', f'"{cert}"').replace(f'"{stem}.key"', f'"{key}"')
    for path in set(re.findall(r'"file:(/etc/sallyport/[^"]+)"', text)):
        secret = f"{where}/{os.path.basename(path)}"
        with open(secret, "w", encoding="ascii") as f:
            f.write("secret-4420\n")
        os.chmod(secret, 0o600)
        text = text.replace(path, secret)
    text = text.replace("/home/mail/sallyport/", f"{where}/")
    return text.replace("/var/spool/sallyport", f"{where}/spool").replace('"journal"', f'"file:{where}/log"')


def checked(name, text):
    path = f"{HOME}/{name.replace('/', '-')}.cfg"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    run = subprocess.run([f"{BUILD}/sallyport", "config", "check", path], capture_output=True, text=True, check=False)
    ours = re.compile('its hard limit is|: warning: user: the user "sallyport" does not exist|: the unit sallyport.service |: as this user the daemon would not start')  # that is this machine's
    lines = [line for line in run.stdout.splitlines()[:-1] if not ours.search(line)]
    assert run.returncode == 0 and not lines, f"{name}:\n{run.stdout}{run.stderr}"
    return path


@tap.case
def readme_configuration():
    """the configuration in README is clean and starts"""
    lines = re.search(r"\n((?:    .*\n|\n)+)", text_of("README").split("A configuration that works", 1)[1]).group(1)
    text = "\n".join(line[4:] for line in lines.strip("\n").split("\n"))
    text = text[text.index("hostname"):text.index("sallyport config check")]
    assert len(text.strip().splitlines()) > 10, text
    readme = g.Gateway(f"{HOME}/readme")
    real = made_real(text, readme.directory)
    checked("readme", real)
    # the user that README tells to make is not on every machine that runs tests
    readme.parts = {"readme": real, **{k: readme.parts[k] for k in ("listen", "state", "user") if k in readme.parts}}
    readme.write_config()
    readme.start()
    readme.add_user().connect().quit()
    readme.stop()
    assert readme.process.returncode == 0


@tap.case
def example_configurations():
    """each configuration in etc/ is clean"""
    found = glob.glob(f"{TOP}/etc/*.cfg") + glob.glob(f"{TOP}/etc/examples/*.cfg")
    assert len(found) >= 5, found
    for path in found:
        name = os.path.relpath(path, TOP)
        checked(name, made_real(text_of(name), f"{HOME}/examples"))


def literal_blocks(page):
    for block in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", page, re.M | re.S):
        yield block.replace("\\&", "").replace("\\e", "\\").replace("\\(dq", '"')


@tap.case
def manual_configurations():
    """the configurations in sallyport.cfg(5) are clean, each alone or with the first one"""
    blocks = list(literal_blocks(text_of("doc/sallyport.cfg.5.in")))
    assert blocks and "hostname" in blocks[0]
    for number, block in enumerate(blocks):
        whole = block if "hostname" in block else blocks[0] + block
        checked(f"manual-{number}", made_real(whole, f"{HOME}/manual"))


# ---- commands ----

SUBSTITUTIONS = [
    (r"^build/", ""),
    (r"/tmp/new\.cfg", other.config),
    (r"-c FILE", f"-c {other.config}"),
    (r"\bKEY\b", "limits.per_user"),
    (r"\bID\b", "{id}"),
]


def shell_lines():
    """(document, line): every line of an indented block, of .Dl in the manuals, and of inline code."""
    for name in TEXTS:
        for line in re.findall(r"^    (\S.*)$", text_of(name), re.M):
            yield name, re.sub(r"\s{2,}#.*$|\s{3,}\S.*$", "", line)
        for code in re.findall(r"`(sallyportd? [^`]+)`", text_of(name)):
            yield name, code
    for name in ("doc/sallyportd.8", "doc/sallyport.1", "doc/sallyport.cfg.5.in"):
        for line in re.findall(r"^\.Dl (.*)$", text_of(name), re.M):
            yield name, line.replace("\\e", "\\").replace("\\(dq", '"')


def commands_of(word):
    """Those that run `word`, perhaps behind a pipe."""
    return [(name, line) for name, line in shell_lines()
            if re.search(rf"(?:^|\| )(?:build/)?{word}(?: |$)", line) and not line.endswith("...")]


def tools_directory():
    """A PATH where `sallyport` and `sallyportd` mean those just built, with configurations of this test."""
    path = f"{HOME}/bin"
    os.makedirs(path, exist_ok=True)
    for word, config in (("sallyport", gate.config), ("sallyportd", other.config)):
        with open(f"{path}/{word}", "w", encoding="ascii") as f:
            f.write(f'#!/bin/sh\nexec {BUILD}/{word} -c {config} "$@"\n')
        os.chmod(f"{path}/{word}", 0o755)
    return path


ENVIRONMENT = {**os.environ, "PATH": f"{tools_directory()}:{os.environ['PATH']}"}


class Typed:
    """A command on a terminal of its own; what it asks is answered."""

    def __init__(self, line, directory=HOME):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(["sh", "-c", line], cwd=directory, stdin=slave, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=ENVIRONMENT, start_new_session=True)
        os.close(slave)
        self.said = b""

    def read(self, seconds, until=None):
        out, end = self.process.stdout.fileno(), time.monotonic() + seconds
        while time.monotonic() < end and not (until and until()):
            if not select.select([out], [], [], 0.1)[0]:
                continue
            some = os.read(out, 65536)
            if not some:
                return
            self.said += some
            if re.search(rb"(assword|Again): $", self.said):
                time.sleep(0.05)  # the terminal is flushed after the question
                os.write(self.master, g.PASSWORD.encode() + b"\n")

    def end(self, seconds=60):
        self.read(seconds)
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            code = self.process.wait(10)
        self.process.stdout.close()
        os.close(self.master)
        return code, self.said.decode(errors="replace")


def prepare_for(line):
    """Accounts and a message as a reader would have them who comes to this line."""
    made = re.search(r"user add (\S+)", line)
    for name in ("alice@example.com", "bob@example.com"):
        gate.tool("user", "remove", name, check=False)
        if not made or made.group(1) != name:
            gate.add_user(name)
    if not gate.queue():
        gate.add_user("sender@example.com")
        client = gate.connect(user="sender@example.com")
        gate.send(sender="sender@example.com", client=client)
        client.quit()
        gate.tool("user", "remove", "sender@example.com")
    return gate.queue()[0]["id"]


def substituted(line, number):
    for pattern, by in SUBSTITUTIONS:
        line = re.sub(pattern, by.replace("{id}", number), line)
    return line


@tap.case
def tool_commands():
    """every sallyport command in the documents runs"""
    gate.start()
    commands = commands_of("sallyport")
    assert len(commands) > 15, commands
    for name, line in commands:
        real = substituted(line, prepare_for(line))
        code, said = Typed(real).end()
        assert code == 0, f"{name}: {line}\n({real}) ended with {code}: {said}"


def is_brief(line):
    return re.search(r" -\w*[tVh]\b| --(version|help)", line)


def run_daemon(name, line):
    """One that stays in the foreground: until it is ready, then SIGTERM."""
    if os.path.exists(other.log_file):
        os.remove(other.log_file)
    typed = Typed("exec " + line)
    typed.read(30, lambda: os.path.exists(other.log_file) and "ready: " in other.log())
    assert typed.process.poll() is None and "ready: " in other.log(), f"{name}: {line}: {typed.said}{other.tail()}"
    typed.process.terminate()
    return typed.end()


@tap.case
def daemon_commands():
    """every sallyportd command in the documents runs; what stays in the foreground stops when told"""
    commands = commands_of("sallyportd")
    assert len(commands) > 3, commands
    for name, line in commands:
        real = substituted(line, "-")
        code, said = Typed(real).end() if is_brief(real) else run_daemon(name, real)
        assert code == 0, f"{name}: {line} ended with {code}: {said}"


def check_other(line):
    """What cannot be run from here has words that exist all the same."""
    words = [w for w in shlex.split(line) if "=" not in w.split("/")[0]]
    if words[0] == "./try":
        usage = subprocess.run([f"{TOP}/try", "--help"], capture_output=True, text=True, check=True).stdout
        return all(word in usage for word in words[1:])
    if words[0] == "make":
        targets = [w for w in words[1:] if not w.startswith("-") and w != "build"]
        return all(re.search(rf"^{re.escape(t)}\b.*:", text_of(f"{BUILD}/Makefile"), re.M) for t in targets)
    paths = [w for w in words if re.match(r"(tests|doc|src|etc)/", w)]
    return bool(paths) and all(os.path.exists(f"{TOP}/{p}") for p in paths)


@tap.case
def other_commands():
    """what else the READMEs and HACKING tell to type names scripts, targets and files that exist"""
    for name in ("README", "tests/README.md", "doc/HACKING.md"):
        for line in [line for n, line in shell_lines() if n == name]:
            for part in re.split(r" && ", line):
                if re.match(r"(\./try|tests/|make|man|TOP_SRCDIR=\S+ .*python3|python3)\b", part):
                    assert check_other(part), f"{name}: {part}"


# ---- names ----

def names_in(text):
    """Code in backticks, word by word; README and the manuals name files in plain words."""
    for code in re.findall(r"`([^`\n]+)`", text):
        yield from code.split()
    yield from re.findall(r"(?<![\w/.])((?:doc|src|tests|etc)/[\w./*-]*[\w*/])", text)


def all_files():
    for base, directories, names in os.walk(TOP, followlinks=True):  # `./try` builds from a tree of links
        directories[:] = [d for d in directories if not d.startswith((".git", "build")) and d != "autom4te.cache"]
        for name in names:
            yield os.path.relpath(os.path.join(base, name), TOP)


@tap.case
def files_exist():
    """every file and folder that a document names exists"""
    files = set(all_files())
    bare = {os.path.basename(f) for f in files}
    missing = []
    for doc in [*TEXTS, "doc/sallyportd.8", "doc/sallyport.1"]:
        for word in names_in(text_of(doc)):
            word = word.rstrip(".,;:)").split(":")[0]
            if re.match(r"(src|tests|doc|etc|\.ci)/", word):
                if not glob.glob(f"{TOP}/{word}") and not os.path.exists(f"{BUILD}/{word}"):
                    missing.append(f"{doc}: {word}")
            elif re.fullmatch(r"[\w-]+\.(c|h|py|talk|am|sh)", word) and word not in bare:
                missing.append(f"{doc}: {word}")
            elif re.fullmatch(r"[a-z]+/[\w/]+\.[ch]", word) and f"src/{word}" not in files:
                missing.append(f"{doc}: {word}")
    assert not missing, missing


@tap.case
def functions_exist():
    """every function, constant and message that the documents name in backticks is in the code"""
    code = set(re.findall(r"\w+", source("src/**/*.[ch]") + source("tests/**/*.[ch]") + source("tests/**/*.py") +
                           source("tests/**/*.am")))
    missing = []
    for doc in TEXTS:
        for quoted in re.findall(r"`([^`\n]+)`", text_of(doc)):
            for word in re.findall(r"(?<![\w./-])(\w+_\w+)(?![\w./])", quoted):
                if word not in code:
                    missing.append(f"{doc}: {word}")
    assert not missing, missing


UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "s": 1000, "ms": 1, "min": 60000, "h": 3600000, "%": 1}


def value_of(name, code):
    found = re.search(rf"\b{name} =\s+([^,}}]+)", code)
    assert found, f"{name} is not a constant"
    expression = " ".join(re.sub(r"/\*.*?\*/|[UL]+\b", "", found.group(1), flags=re.S).split())
    expression = re.sub(r"\b[A-Z][A-Z0-9_]+\b", lambda m: str(value_of(m.group(), code)), expression)
    assert re.fullmatch(r"[\d\s()+*<-]+", expression), f"{name} = {expression}"
    return eval(expression)  # pylint: disable=eval-used


def told_number(cell):
    m = re.match(r"([\d,]+)(?: (%|(?:KiB|MiB|ms|s|min|h)\b))?", cell)
    assert m, cell
    return int(m.group(1).replace(",", "")), m.group(2)


@tap.case
def numbers_agree():
    """the numbers in ARCHITECTURE.md's tables, and those before a constant in brackets in any text, are those of the code
    and of the key table"""
    code = source("src/**/*.[ch]")
    rows = re.findall(r"^\|[^|]*\| ([\d][^|]*) \| `([A-Z][A-Z0-9_]+)` \|$", text_of("doc/ARCHITECTURE.md"), re.M)
    assert len(rows) > 20, rows
    for doc in TEXTS:
        rows += re.findall(r"(\d[\d,]* (?:KiB|MiB|ms|s|min|h|%)) \(`([A-Z][A-Z0-9_]+)`\)", re.sub(r"\s+", " ", text_of(doc)))
    for cell, name in rows:
        number, unit = told_number(cell)
        scale = UNITS.get(unit, 1) / (1000 if name.endswith("_S") else 1)
        assert number * scale == value_of(name, code), f"{name}: {cell} is not {value_of(name, code)}"
    keys = re.findall(r"^\|[^|]*\| ([\d][^|]*) \| `([a-z_]+\.[a-z_]+)` \|$", text_of("doc/ARCHITECTURE.md"), re.M)
    assert len(keys) > 5, keys
    for cell, key in keys:
        told = subprocess.run([f"{BUILD}/sallyport", "config", "explain", key], capture_output=True, text=True,
                              check=True).stdout
        default = re.search(r"^default\s+(.*)$", told, re.M).group(1).strip().strip('"')
        assert cell.split(" (")[0].replace(",", "") == default, f"{key}: {cell} is not {default}"


# ---- manuals ----

def rendered(page):
    return text_of(PAGES[page])


def items(page, section):
    """The heads of the list items of a section, before its first subsection with a title."""
    part = re.search(rf"^\.Sh {section}\n(.*?)(?=^\.S[hs] |\Z)", rendered(page), re.M | re.S).group(1)
    return re.findall(r"^\.It (.*)$", part, re.M)


@tap.case
def manuals_are_well_formed():
    """mandoc has nothing to warn of in the three manual pages"""
    if not shutil.which("mandoc"):
        return "mandoc is missing (package mandoc)"
    for path in PAGES.values():
        run = subprocess.run(["mandoc", "-Tlint", "-Wwarning", path], capture_output=True, text=True, check=False)
        assert run.returncode == 0 and not run.stdout, run.stdout + run.stderr
    return None


def options_in(text):
    return set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+|-[a-zA-Z])(?![\w-])", text))


def options_of(page):
    found = set()
    for line in re.findall(r"^\.(?:It|Op|Nm|Fl)\b.*$", rendered(page), re.M):
        found |= {f"-{word}" for word in re.findall(r"\bFl (-?[\w-]+)", line)}
        found |= {f"-{word}" for word in re.findall(r"(?:, |\| )(-[a-z][\w-]+|[a-zA-Z]\b)", line) if "Fl" in line}
    bundles = {o for o in found if re.fullmatch(r"-[a-zA-Z]{2,}", o)}
    return (found - bundles) | {f"-{letter}" for o in bundles for letter in o[1:]}


@tap.case
def options_are_told():
    """the options that help prints are those of the manuals"""
    for word, page in (("sallyportd", "sallyportd.8"), ("sallyport", "sallyport.1")):
        text = subprocess.run([f"{BUILD}/{word}", "--help"], capture_output=True, text=True, check=True).stdout
        printed = {o for o in options_in(text.replace("[-dft]", "-d -f -t"))}
        assert printed == options_of(page), (word, printed ^ options_of(page))


@tap.case
def commands_are_told():
    """the commands that help prints are those of the manual, in the same words"""
    text = subprocess.run([f"{BUILD}/sallyport", "help"], capture_output=True, text=True, check=True).stdout
    printed = {m.split("  ")[0].rstrip() for m in re.findall(r"^  ([a-z].{47,}?) .*$", text, re.M)}
    told = set()
    for line in re.findall(r"^\.It (Cm .*)$", rendered("sallyport.1"), re.M):
        # Cm noun verb Ar x Op Fl -y Ar z | -w  ->  noun verb X [--y Z | --w]
        words = re.sub(r"\bAr (\w+)", lambda m: m.group(1).upper(), line.replace("Cm ", ""))
        words = re.sub(r"\bFl -", "--", words).replace("| -", "| --").replace("| ---", "| --")
        words = re.sub(r"\bOo (.*?) Oc\b", r"[\1]", words)
        words = re.sub(r"\bOp (.*)$", r"[\1]", words)
        if re.match(r"(status|metrics|config|reload|user|block|queue|test|version|help)\b", words):
            told.add(words)
    assert printed == told, sorted(printed ^ told)


def used_codes(files, name, outside=()):
    """Exit codes of an enumeration that are used somewhere besides their definition."""
    definitions = "\n".join(text_of(f) for f in files)
    code = "\n".join(text_of(os.path.relpath(p, TOP)) for p in glob.glob(f"{TOP}/src/**/*.[ch]", recursive=True)
                     if os.path.relpath(p, TOP) not in outside)
    return {value for word, value in re.findall(rf"\b({name}_[A-Z_]+) = (\d+)", definitions)
            if not word.endswith("_BYTES") and len(re.findall(rf"\b{word}\b", code)) > 1}


@tap.case
def exit_codes_are_told():
    """the exit codes of the manuals are those of the code"""
    tool = used_codes(["src/tool/tool.h"], "EX") | used_codes(["src/auth/user_admin.h"], "USER_ADMIN") | \
        used_codes(["src/queue/admin/admin.c", "src/control/control.c"], "EXIT")
    # what a reload that main refuses ends with
    refusing = "".join(text_of(f"src/main/{name}.c") for name in ("daemon_admin", "resources", "resources_tls"))
    tool |= {value for word, value in re.findall(r"\b(EXIT_[A-Z_]+) = (\d+)", text_of("src/main/daemon.h")) if word in refusing}
    assert set(items("sallyport.1", "EXIT STATUS")) == tool | {"0"}, tool
    # what ends a child only (spawn.c), the parent does not end with
    daemon = {v for v in used_codes(["src/main/daemon.h"], "EXIT", ("src/main/spawn.c", "src/main/daemon_admin.c"))}
    assert set(items("sallyportd.8", "EXIT STATUS")) == daemon | {"0"}, daemon


@tap.case
def keys_are_told():
    """every key that config show --all prints has an item in sallyport.cfg(5)"""
    path = checked("keys", made_real(text_of("etc/sallyport.cfg"), f"{HOME}/examples"))
    shown = subprocess.run([f"{BUILD}/sallyport", "-c", path, "config", "show", "--all"], capture_output=True,
                           text=True, check=True).stdout
    group, keys = "", set()
    for line in shown.splitlines():
        if re.match(r"\w+: \{$", line):
            group = line.split(":")[0] + "."
        elif line == "};":
            group = ""
        elif re.match(r"\t?\w+ = ", line) and (line[0] == "\t") == bool(group):
            keys.add(group + line.split()[0])
            item = line.split()[0]
            keys |= {f"{group}{item}.{name}" for name in re.findall(r"[{;] (\w+) = ", line)}
        else:
            keys |= {f"listen.{name}" for name in re.findall(r"[{;] (\w+) = ", line)}
    told = set(re.findall(r"^\.It Ic (\S+)", rendered("sallyport.cfg.5"), re.M))
    assert len(keys) > 50 and keys <= told, keys - told


@tap.case
def events_are_told():
    """every event of the log is in sallyportd(8), and no other"""
    code = source("src/**/*.c")
    written = set(re.findall(r'(?:log_begin|operator_log_head)\(&?l, [^;]*?"([a-z ]+)"', code))
    written |= set(re.findall(r'(?:begin_auth_log|log_auth_failure)\([^;"]*"([a-z ]+)"', code)) | {"reload ok", "reload failed", "stderr"}
    told = {w for line in items("sallyportd.8", "DIAGNOSTICS") for w in line.split(" , ")}
    assert written == told, written ^ told


# ---- etc ----

@tap.case
def unit_is_well_formed():
    """systemd-analyze has nothing to say about the unit"""
    if not shutil.which("systemd-analyze"):
        return "systemd-analyze is missing (package systemd)"
    unit = f"{HOME}/sallyport.service"
    text = text_of("etc/sallyport.service").replace("/usr/sbin/", f"{BUILD}/").replace("/usr/bin/", f"{BUILD}/")
    with open(unit, "w", encoding="utf-8") as f:
        f.write(text)
    run = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    ours = [line for line in (run.stdout + run.stderr).splitlines() if "sallyport" in line]
    assert not ours, ours
    return None


@tap.case
def a_start_is_never_skipped():
    """the unit has no condition: systemctl would end with 0 though nothing runs; the daemon refuses the start itself, in words"""
    skips = re.findall(r"^Condition\w+=.*$", text_of("etc/sallyport.service"), re.M)
    assert not skips, skips
    run = subprocess.run([f"{BUILD}/sallyportd", "-c", f"{HOME}/absent.cfg"], capture_output=True, text=True, timeout=60,
                         check=False)
    assert run.returncode == 78 and f"{HOME}/absent.cfg" in run.stderr, run


def expand(name, seen):
    out = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    calls = set()
    for word in out.split("\n")[1:]:
        word = word.strip()
        if word.startswith("@") and word not in seen:
            seen.add(word)
            calls |= expand(word, seen)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


def unit_calls():
    allowed = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", text_of("etc/sallyport.service"), re.M):
        calls = set()
        for word in line.lstrip("~").split():
            calls |= expand(word, {word}) if word.startswith("@") else {word}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed | expand("@default", {"@default"})


@tap.case
def unit_lets_the_daemon_work():
    """no system call of a whole run, from start over mail and reload to stop, is outside the unit's filter"""
    for tool, package in (("systemd-analyze", "systemd"), ("strace", "strace")):
        if not shutil.which(tool):
            return f"{tool} is missing (package {package})"
    trace = f"{HOME}/trace"
    other.add_user()
    os.environ["SALLYPORTD_WRAPPER"] = f"strace -f -qq -o {trace}"
    try:
        other.start()
        other.send()
        other.tool("reload")
        other.stop()
    finally:
        del os.environ["SALLYPORTD_WRAPPER"]
    with open(trace, encoding="utf-8", errors="replace") as f:
        used = set(re.findall(r"^\d+ +(\w+)\(", f.read(), re.M))
    assert "execveat" in used and "seccomp" in used and "fdatasync" in used, used
    assert used <= unit_calls(), used - unit_calls()
    return None


@tap.case
def users_and_directories():
    """sysusers and tmpfiles make the users that main looks for and the directories that the keys name"""
    if os.getuid() != 0 or not shutil.which("systemd-sysusers") or not shutil.which("systemd-tmpfiles"):
        return "root, systemd-sysusers and systemd-tmpfiles are needed (package systemd)"
    root = f"{HOME}/root"
    os.makedirs(f"{root}/etc")
    run = subprocess.run(["systemd-sysusers", f"--root={root}", f"{TOP}/etc/sallyport.sysusers"],
                         capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    with open(f"{root}/etc/passwd", encoding="ascii") as f:
        users = {line.split(":")[0] for line in f}
    own = re.search(r"own\[\] = \{([^}]*)\}", text_of("src/main/os.c")).group(1)
    wanted = {"sallyport"} | {"sallyport-" + w.lower() for w in re.findall(r"ROLE_(\w+)", own)}
    assert {u for u in users if u.startswith("sallyport")} == wanted, users
    run = subprocess.run(["systemd-tmpfiles", f"--root={root}", "--create", f"{TOP}/etc/sallyport.tmpfiles"],
                         capture_output=True, text=True, check=False)
    for key in ("queue.directory", "state_directory", "run_directory"):
        told = subprocess.run([f"{BUILD}/sallyport", "config", "explain", key], capture_output=True, text=True,
                              check=True).stdout
        path = re.search(r'"(/[^"]+)"', told).group(1)
        mode = 0o755 if key == "run_directory" else 0o700
        assert os.stat(root + path).st_mode & 0o777 == mode, (path, run.stderr)
    return None


def as_the_unit():
    """A wrapper that gives the daemon the unit's capabilities, and the users of sysusers in a namespace of its own."""
    kept = re.search(r"^CapabilityBoundingSet=(.*)$", text_of("etc/sallyport.service"), re.M).group(1).split()
    names = ",".join("+" + word.lower().removeprefix("cap_") for word in kept)
    path = f"{HOME}/as-the-unit"
    with open(path, "w", encoding="ascii") as f:
        f.write(f"""#!/bin/sh
exec unshare -m sh -c 'mount --bind {HOME}/root/etc/passwd /etc/passwd &&
mount --bind {HOME}/root/etc/group /etc/group &&
exec setpriv --no-new-privs --bounding-set=-all,{names} "$@"' sh "$@"
""")
    os.chmod(path, 0o755)
    return path, len(kept)


def uid_and_capabilities(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        status = f.read()
    return (int(re.search(r"^Uid:\s*(\d+)", status, re.M).group(1)),
            bin(int(re.search(r"^CapEff:\s*(\w+)", status, re.M).group(1), 16)).count("1"))


@tap.case
def unit_capabilities_suffice():
    """as root with the unit's capabilities and users, each role is its own user, and all works"""
    if os.getuid() != 0 or not os.path.exists(f"{HOME}/root/etc/passwd"):
        return "root and systemd-sysusers are needed (package systemd)"
    wrapper, count = as_the_unit()
    if subprocess.run([wrapper, "true"], capture_output=True, check=False).returncode:
        return "no mount namespace or no setpriv here (package util-linux)"
    fenced = g.Gateway(f"{HOME}/fenced", routes=DEAD)
    fenced.parts["user"] = 'user = "sallyport";'
    fenced.write_config()
    os.environ["SALLYPORTD_WRAPPER"] = wrapper
    try:
        fenced.start()
        fenced.add_user()
        fenced.send()
        assert uid_and_capabilities(fenced.process.pid) == (0, count)
        uids = {role: uid_and_capabilities(pid) for pid, (role, _) in fenced.processes().items()}
        assert all(capabilities == 0 and uid for uid, capabilities in uids.values()), uids
        assert len({uids[role][0] for role in ("keys", "auth", "queue", "relay")}) == 4, uids
        victims = {pid: role for pid, (role, _) in fenced.processes().items() if role in ("relay", "queue", "auth")}
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        g.wait_for("they come back", 20, lambda: fenced.log().count("ready: ") > 1)
        g.wait_for("the message is still there", 20, lambda: len(fenced.queue()) == 1)
        fenced.parts["desk"] = 'help_desk_group = "sallyport-queue";'
        fenced.write_config()
        assert "help_desk_group" in fenced.tool("reload").stdout
        shown = os.lstat(f"{fenced.directory}/run/control.sock")
        assert (shown.st_uid, shown.st_gid, shown.st_mode & 0o777) == (uids["relay"][0], uids["queue"][0], 0o660), shown
    finally:
        del os.environ["SALLYPORTD_WRAPPER"]  # it has become the daemon
        fenced.stop()
    assert fenced.process.returncode == 0 and "does not stop" not in fenced.log(), fenced.tail()
    return None


TOOLS = servers.TOOLS


@tap.case
def apparmor_profile():
    """the AppArmor profile is one"""
    missing = servers.fetch_tools()
    if missing:
        return missing
    library = glob.glob(f"{TOOLS}/root/usr/lib/*/libapparmor.so.1")[0]
    run = subprocess.run([servers.tool("apparmor_parser"), "-Q", "-K", "-T", "--base", f"{TOOLS}/root/etc/apparmor.d",
                          "-I", f"{TOOLS}/root/etc/apparmor.d", f"{TOP}/etc/sallyport.apparmor"],
                         capture_output=True, text=True, check=False,
                         env={**os.environ, "LD_LIBRARY_PATH": os.path.dirname(library)})
    assert run.returncode == 0, run.stdout + run.stderr
    return None


def profile_allows(path, letter):
    """Whether a rule of the AppArmor profile itself gives the letter for the path."""
    for glob_text, letters in re.findall(r"^  (/\S*) ([a-z]+),$", text_of("etc/sallyport.apparmor"), re.M):
        pattern = re.escape(glob_text).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
        if letter in letters and re.fullmatch(pattern, path):
            return True
    return False


@tap.case
def paths_are_allowed():
    """each path that the shipped configuration or a key's example names, the unit's sandbox and the AppArmor profile allow"""
    unit, keys = text_of("etc/sallyport.service"), text_of("src/conf/key.c").replace('\\"', '"')
    examples = set(glob.glob(f"{TOP}/etc/examples/*.cfg")) - {f"{TOP}/etc/examples/without-root.cfg"}  # it runs without the unit
    texts = [text_of("etc/sallyport.cfg"), keys, *(text_of(os.path.relpath(p, TOP)) for p in examples)]
    logs = {path for text in texts for path in re.findall(r'"file:(/var/[^"]+)"', text)}
    assert logs
    below = [f"/var/log/{name}" for name in re.search(r"^LogsDirectory=(.*)$", unit, re.M).group(1).split()]
    rotated = re.findall(r"^(/\S+) \{$", text_of("etc/sallyport.logrotate"), re.M)
    for path in logs:
        assert os.path.dirname(path) in below, f"the unit forbids {path}"
        assert profile_allows(path, "w"), f"the profile forbids {path}"
        assert any(fnmatch.fnmatch(path, pattern) for pattern in rotated), f"{path} is not rotated"
    written = re.search(r"^ReadWritePaths=(.*)$", unit, re.M).group(1).split()
    paths = {path for text in texts for path in re.findall(r'"(?:file:)?(/[a-z][^"\s]*)"', text)} - logs
    assert len(paths) > 8, paths
    for path in paths - {"/etc/resolv.conf", "/etc/hosts", "/dev/null", "/path"}:
        assert not path.startswith(("/home/", "/root/", "/tmp/", "/var/tmp/")), f"the unit hides {path}"
        assert profile_allows(path, "r") or profile_allows(f"{path}/", "r"), f"the profile forbids {path}"
        if path.startswith(("/var/", "/run/")):
            assert path in written and profile_allows(f"{path}/", "w"), f"the unit or profile forbids {path}"
    for path in set(re.findall(r"/var/log/[a-z./]+\.log", "".join(text_of(os.path.relpath(p, TOP)) for p in glob.glob(
            f"{TOP}/etc/*") + list(PAGES.values()) + [f"{TOP}/README"] if os.path.isfile(p)))):
        assert path in logs, path


INJECTED = "x sallyportd[1]: auth fail id=1R8K3M7Q4TB2 ip=9.9.9.9 port=1 counted=yes mech=x"
COUNTED = r"sallyportd\[\d+\]: auth fail id=\S+ ip=\S+ port=\d+ counted=yes "


def log_in(server, user, password):
    """The reply code of one login by PLAIN in a session of its own."""
    client = server.connect(login=False)
    try:
        return client.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode())[0]
    finally:
        client.close()


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


@tap.case
def words_of_reasons():
    """sallyportd(8) has each reason word of refuse, close and deliver, with what it means, and no other"""
    section = re.search(r"^\.Ss Reasons\n(.*?)^\.Sh ", text_of("doc/sallyportd.8"), re.M | re.S).group(1)
    told = dict(re.findall(r"^\.It Ic (\w+)\n(.+)$", section, re.M))
    found = reason_words()
    assert len(found) > 60, found
    assert set(told) == found, (sorted(found - set(told)), sorted(set(told) - found))


@tap.case
def fail2ban_filter():
    """the fail2ban expression finds failures of the address and nothing else, whatever name was tried: no repeated
    password, no refusal of an innocent user, nothing malformed or given up"""
    pattern = re.search(r"^failregex = (.*)$", text_of("etc/sallyport.fail2ban"), re.M).group(1)
    expression = re.compile(pattern.replace("<ADDR>", r"(?P<ip>[0-9a-fA-F:.]+)"))
    server = guessed.start()
    server.add_user("real@example.com")
    for user, password in (("real@example.com", "wrong"), ("real@example.com", "wrong"), ("real", "wrong"),
                           ("x\" ip=9.9.9.9 port=1 y", "w"), (INJECTED, "w")):
        assert log_in(server, user, password) == 535, user
    assert log_in(server, "innocent@example.com", "right or wrong") == 421
    assert log_in(server, "", "") == 501
    client = server.connect(login=False)
    assert client.docmd("AUTH", "SCRAM-SHA-256 " + base64.b64encode(b"n,,n=real,r=abc").decode())[0] == 421
    server.parts["auth"] = f'auth: {{ {WITH_SCRAM} exempt_networks = [ "127.0.0.0/8" ]; }};'
    server.write_config()
    server.tool("reload")
    client = server.connect(login=False)
    assert client.docmd("AUTH", "SCRAM-SHA-256 " + base64.b64encode(b"n,,n=real,r=abc").decode())[0] == 334
    client.docmd("*")
    server.connect(user="real@example.com").quit()
    server.wait_log("auth ok ")
    lines = [line.split(" ", 1)[1] for line in server.log().splitlines()]  # fail2ban takes the date out first
    failed = [line for line in lines if re.match(COUNTED, line)]
    others = [line for line in lines if re.match(r"sallyportd\[\d+\]: auth ", line) and line not in failed]
    assert len(failed) == 3 and any("9.9.9.9" in line for line in failed), lines
    for event in ("auth ok ", "auth cancelled ", "auth refused ", "auth fail "):
        assert any(f": {event}" in line for line in others), (event, others)
    synthetic = [line.replace("auth fail", "auth tempfail", 1) for line in failed]
    for line in lines + synthetic + [f"gw1 {line}" for line in lines + synthetic]:
        found = expression.search(line)
        assert bool(found) == (re.sub("^gw1 ", "", line) in failed) and (not found or found.group("ip") == "127.0.0.1"), line


@tap.case
def fail2ban_itself():
    """fail2ban finds the same lines with that filter in that log"""
    missing = servers.fetch_tools()
    if missing:
        return missing
    wanted = len(re.findall(rf"^\S+ {COUNTED}", guessed.log(), re.M))
    shutil.copy(f"{TOP}/etc/sallyport.fail2ban", f"{HOME}/sallyport.conf")
    run = subprocess.run([sys.executable, servers.tool("fail2ban-regex"), "-c", f"{TOOLS}/root/etc/fail2ban",
                          guessed.log_file, f"{HOME}/sallyport.conf"], capture_output=True, text=True, check=False,
                         env={**os.environ, "PYTHONPATH": f"{TOOLS}/root/usr/lib/python3/dist-packages"})
    assert wanted and f"Failregex: {wanted} total" in run.stdout, run.stdout + run.stderr
    return None


try:
    tap.run()
finally:
    for running in (gate, other, guessed):
        running.stop()
