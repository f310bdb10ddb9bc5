#!/usr/bin/env python3
"""documents: what the documents say is so: configurations start, commands run, names exist, numbers agree."""
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
from texts import PAGES, reason_words, source, text_of  # noqa: E402

HOME = g.workplace("documents")
TOP, BUILD = g.TOP, g.BUILD
tap = g.Tap()
DEAD = 'routes: ( { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );'
gate = g.Gateway(f"{HOME}/gateway", routes=DEAD)
other = g.Gateway(f"{HOME}/other", routes=DEAD)  # started by the documents' own commands
TEXTS = ["README", "tests/README.md", *sorted(os.path.relpath(p, TOP) for kind in ("doc/*.md", "doc/adr/*.md")
                           for p in glob.glob(f"{TOP}/{kind}"))]


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
def words_of_reasons():
    """sallyportd(8) has each reason word of refuse, close and deliver, with what it means, and no other"""
    section = re.search(r"^\.Ss Reasons\n(.*?)^\.Sh ", text_of("doc/sallyportd.8"), re.M | re.S).group(1)
    told = dict(re.findall(r"^\.It Ic (\w+)\n(.+)$", section, re.M))
    found = reason_words()
    assert len(found) > 60, found
    assert set(told) == found, (sorted(found - set(told)), sorted(set(told) - found))


@tap.case
def events_are_told():
    """every event of the log is in sallyportd(8), and no other"""
    code = source("src/**/*.c")
    written = set(re.findall(r'(?:log_begin|operator_log_head)\(&?l, [^;]*?"([a-z ]+)"', code))
    written |= set(re.findall(r'(?:begin_auth_log|log_auth_failure)\([^;"]*"([a-z ]+)"', code)) | {"reload ok", "reload failed", "stderr"}
    told = {w for line in items("sallyportd.8", "DIAGNOSTICS") for w in line.split(" , ")}
    assert written == told, written ^ told


try:
    tap.run()
finally:
    for running in (gate, other):
        running.stop()
