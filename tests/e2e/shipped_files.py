#!/usr/bin/env python3
"""shipped_files: what etc/ has for a system: the unit and its sandbox, users and directories, the AppArmor profile, the rotation
of logs, the filter of fail2ban."""
import base64
import fnmatch
import glob
import os
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import servers  # noqa: E402
from texts import PAGES, text_of  # noqa: E402

HOME = g.workplace("shipped_files")
TOP, BUILD = g.TOP, g.BUILD
tap = g.Tap()
DEAD = 'routes: ( { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );'
traced = g.Gateway(f"{HOME}/traced", routes=DEAD)
WITH_SCRAM = 'mechanisms = [ "SCRAM-SHA-256", "PLAIN", "LOGIN" ];'
guessed = g.Gateway(f"{HOME}/guessed", routes=DEAD,
                    auth=f'auth: {{ {WITH_SCRAM} failure_limit = "3 failures / 1h"; }};')  # passwords are guessed here


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
    traced.add_user()
    os.environ["SALLYPORTD_WRAPPER"] = f"strace -f -qq -o {trace}"
    try:
        traced.start()
        traced.send()
        traced.tool("reload")
        traced.stop()
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
    for running in (traced, guessed):
        running.stop()
