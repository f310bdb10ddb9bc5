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


tap.run()
