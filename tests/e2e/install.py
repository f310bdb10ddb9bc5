#!/usr/bin/env python3
"""install: `make install-system` puts what the system reads where Debian has it, with the paths of the build in it;
`make uninstall-system` takes it away again, and a configuration is neither replaced nor removed."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("install")
CONFIG = "/etc/sallyport/sallyport.cfg"
tap = g.Tap()


def make(target, root, prefix):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    run = subprocess.run(["make", "-s", target, f"DESTDIR={root}", f"prefix={prefix}"], cwd=g.BUILD, env=environment,
                         capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run


def files(root):
    return sorted("/" + os.path.relpath(os.path.join(where, name), root) for where, _, names in os.walk(root) for name in names)


def content(root, path):
    with open(root + path, encoding="utf-8") as f:
        return f.read()


def system_files(lib, profile):
    return {f"{lib}/systemd/system/sallyport.service", f"{lib}/sysusers.d/sallyport.conf", f"{lib}/tmpfiles.d/sallyport.conf",
            f"/etc/apparmor.d/{profile}", "/etc/fail2ban/filter.d/sallyport.conf", "/etc/logrotate.d/sallyport"}


def programs(text):
    return set(re.findall(r"[\w/]*/s?bin/sallyportd?\b", text))


def installed(name, prefix, lib):
    root = f"{HOME}/{name}"
    profile = f"{prefix}/sbin/sallyportd"[1:].replace("/", ".")
    make("install-system", root, prefix)
    got = set(files(root))
    wanted = system_files(lib, profile)
    assert wanted <= got, wanted - got
    for path in wanted:
        named = programs(content(root, path))
        assert named <= {f"{prefix}/sbin/sallyportd", f"{prefix}/bin/sallyport"}, (path, named)
        assert named <= got, (path, named - got)
        assert os.stat(root + path).st_mode & 0o777 == 0o644, path
    unit = content(root, f"{lib}/systemd/system/sallyport.service")
    assert re.search(rf"^ExecStart={prefix}/sbin/sallyportd -c {CONFIG} ", unit, re.M), unit
    assert re.search(rf"^profile sallyportd {prefix}/sbin/sallyportd ", content(root, f"/etc/apparmor.d/{profile}"), re.M)
    run = subprocess.run([f"{root}{prefix}/bin/sallyport", "-c", root + CONFIG, "config", "show"], capture_output=True, text=True,
                         check=False)
    assert run.returncode == 0 and "mail.example.com" in run.stdout, run
    return root


@tap.case
def where_debian_has_them():
    """with prefix /usr, with /usr/local, and with one where systemd does not look: then in /etc"""
    for name, prefix, lib in (("usr", "/usr", "/usr/lib"), ("local", "/usr/local", "/usr/local/lib"), ("opt", "/opt/sallyport", "/etc")):
        installed(name, prefix, lib)


@tap.case
def again_and_away():
    """installed again, the configuration that was changed stays; uninstalled, nothing else is left"""
    root = installed("again", "/usr/local", "/usr/local/lib")
    with open(root + CONFIG, "a", encoding="utf-8") as f:
        f.write("# ours\n")
    before = files(root)
    make("install-system", root, "/usr/local")
    assert files(root) == before
    assert content(root, CONFIG).endswith("# ours\n")
    make("uninstall-system", root, "/usr/local")
    assert files(root) == [CONFIG], files(root)


FAKE = '''#!/bin/sh
echo "${0##*/} $*" >>"$CALLS"
[ "${0##*/} $1" != "$FAILS" ]
'''


@tap.case
def the_system_is_told():
    """without DESTDIR: a program that fails keeps none behind it from being called; uninstalled, the unit is disabled and the profile unloaded"""
    if os.getuid():
        return "needs root for mounts of its own"
    fakes, calls = f"{HOME}/fakes", f"{HOME}/calls"
    os.makedirs(fakes)
    for name in ("systemctl", "apparmor_parser", "systemd-sysusers", "systemd-tmpfiles"):
        with open(f"{fakes}/{name}", "w", encoding="ascii") as f:
            f.write(FAKE)
        os.chmod(f"{fakes}/{name}", 0o755)
    script = '''set -e
mount -t tmpfs none /run
mount -t tmpfs none /sys
mkdir -p /run/systemd/system /run/upper /run/work /sys/kernel/security/apparmor
mount -t overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work none /etc
echo mounted
sh "$SOURCE/etc/install-system" install && echo installed
ls /etc/systemd/system/sallyport.service
sh "$SOURCE/etc/install-system" remove && echo removed
! ls /etc/systemd/system/sallyport.service
'''
    environment = {**os.environ, "PATH": f"{fakes}:{os.environ['PATH']}", "CALLS": calls, "SOURCE": g.TOP, "PREFIX": "/opt/sallyport",
                   "BINDIR": "/opt/sallyport/bin", "SBINDIR": "/opt/sallyport/sbin", "DESTDIR": ""}

    def told(fails, fine):
        open(calls, "w", encoding="ascii").close()
        run = subprocess.run(["unshare", "-m", "sh", "-c", script.replace("set -e", "set -e" if fine else "")],
                             env={**environment, "FAILS": fails}, capture_output=True, text=True, check=False, timeout=60)
        if "mounted" not in run.stdout:
            return None, run
        with open(calls, encoding="ascii") as f:
            return f.read().splitlines(), run
    profile = "/etc/apparmor.d/opt.sallyport.sbin.sallyportd"
    lines, run = told("", True)
    if lines is None:
        return f"no mounts here: {run.stderr}"
    assert run.returncode == 0 and "installed" in run.stdout and "removed" in run.stdout, run
    wanted = ["systemctl daemon-reload", f"apparmor_parser -r {profile}", "systemctl disable sallyport.service", f"apparmor_parser -R {profile}"]
    assert [line for line in lines if line in wanted] == [*wanted, "systemctl daemon-reload"], lines
    for fails in ("systemd-sysusers /etc/sysusers.d/sallyport.conf", "apparmor_parser -r", "systemctl disable", "apparmor_parser -R"):
        lines, run = told(fails, False)
        assert set(wanted) <= set(lines), (fails, lines)
        assert ("installed" in run.stdout) == ("disable" in fails or "-R" in fails), (fails, run)
    return None


tap.run()
