"""servers: Postfix, Exim and Dovecot from Debian, unpacked under build/ and run in a mount namespace of their own, so that no
mail server is ever installed on the machine (Debian's packages remove one another).  In the same way, the programs of
AppArmor and fail2ban that read the files which Sallyport provides for them."""
import fcntl
import glob
import os
import re
import signal
import subprocess

import gateway as g

ROOT = f"{g.BUILD}/servers"
PACKAGES = ("postfix", "exim4-daemon-light", "exim4-base", "dovecot-core", "dovecot-lmtpd")


def _dependencies(package):
    out = subprocess.run(["apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts",
                          "--no-breaks", "--no-replaces", "--no-enhances", package],
                         capture_output=True, text=True, check=True).stdout
    return {line.strip() for line in out.splitlines() if line and not line.startswith((" ", "<", "|"))}


def _is_installed(package):
    return subprocess.run(["dpkg-query", "-W", package], capture_output=True, check=False).returncode == 0


def fetch():
    """Downloads and unpacks the servers; returns None, or why this is not possible."""
    if os.getuid():
        return "needs root: other mail servers run in a mount namespace"
    os.makedirs(f"{ROOT}/deb", exist_ok=True)
    with open(f"{ROOT}/lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(f"{ROOT}/root/usr/sbin/dovecot"):
            return None
        wanted = set(PACKAGES)
        for package in PACKAGES:
            wanted |= {name for name in _dependencies(package) if name.startswith("lib") and not _is_installed(name)}
        done = subprocess.run(["apt-get", "download", *sorted(wanted)], cwd=f"{ROOT}/deb", capture_output=True,
                              text=True, check=False)
        for name in sorted(os.listdir(f"{ROOT}/deb")):
            subprocess.run(["dpkg", "-x", f"{ROOT}/deb/{name}", f"{ROOT}/root"], check=True)
        if not os.path.exists(f"{ROOT}/root/usr/sbin/dovecot"):
            return "apt-get download of " + " ".join(PACKAGES) + " failed: " + done.stderr.strip()[-200:]
    return None


TOOLS = f"{g.BUILD}/documents-tools"


def tool(name):
    """Returns the path of a program: Debian 12 has some in /sbin, Debian 13 all in /usr."""
    found = glob.glob(f"{TOOLS}/root/sbin/{name}") + glob.glob(f"{TOOLS}/root/usr/*bin/{name}")
    return found[0] if found else None


def fetch_tools():
    """Downloads AppArmor's parser and fail2ban's tester; returns None, or why this is not possible."""
    def is_there():
        return tool("apparmor_parser") and tool("fail2ban-regex")

    packages = ("apparmor", "libapparmor1", "fail2ban")
    if is_there():
        return None
    os.makedirs(f"{TOOLS}/root", exist_ok=True)
    subprocess.run(["apt-get", "download", *packages], cwd=TOOLS, capture_output=True, check=False)
    for path in glob.glob(f"{TOOLS}/*.deb"):
        subprocess.run(["dpkg", "-x", path, f"{TOOLS}/root"], check=True)
    return None if is_there() else f"apt-get download of {' '.join(packages)} failed"


def has(package, version):
    """Returns whether the unpacked package has this version, or a subversion of it (2.4: 2.4.1)."""
    return any(re.match(rf"{re.escape(package)}_(\d+%3a)?{re.escape(version)}[.+~-]", name) for name in os.listdir(f"{ROOT}/deb"))


def popen(directory, inside, script, log):
    """Runs a shell script in a mount namespace in which the unpacked servers are in /usr, their users exist, and `directory` is
    mounted at `inside`; in a process namespace too, so that all processes end with the returned one."""
    users = {"postfix": 5100, "Debian-exim": 5101, "dovecot": 5102, "dovenull": 5103, "vmail": 5104}
    groups = {**users, "postdrop": 5110}
    for name, entries in (("passwd", [f"{u}:x:{n}:{n}::/nonexistent:/usr/sbin/nologin" for u, n in users.items()]),
                          ("group", [f"{u}:x:{n}:" for u, n in groups.items()])):
        with open(f"/etc/{name}", encoding="utf-8") as f:
            own = {entry.split(":")[0] for entry in entries}
            lines = [line.rstrip("\n") for line in f if line.split(":")[0] not in own]
        with open(f"{directory}/{name}", "w", encoding="utf-8") as f:
            f.write("\n".join(lines + entries) + "\n")
    os.makedirs(f"{directory}/unpacked", exist_ok=True)
    # This tree may be in /usr/src: so the directory is mounted before /usr hides it, and the servers are copied to a file system
    # of their own, because an overlay refuses a layer that is below another one.
    commands = (f"set -e; mount --bind {directory} {inside}; "
              f"mount -t tmpfs tmpfs {inside}/unpacked; cp -a {ROOT}/root/usr {inside}/unpacked/; "
              f"mount -t overlay overlay -o lowerdir={inside}/unpacked/usr:/usr /usr; "
              f"mount --bind {inside}/passwd /etc/passwd; mount --bind {inside}/group /etc/group; {script}")
    with open(log, "wb") as out:
        return subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", commands],
                                stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)


def stop(process):
    """Kills the first process of the namespace, and with it all others."""
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as f:
        for child in f.read().split():
            os.kill(int(child), signal.SIGKILL)
    process.kill()
    process.wait(10)
