"""debian: installs a Debian of a chosen release under build/, with this source in it: for tests on a machine that never had
any part of Sallyport.  Needs root, debootstrap and Debian's packages from the network."""
import os
import shutil
import subprocess

import gateway as g

SOURCE = "/usr/src/sallyport"
MIRROR = "http://deb.debian.org/debian"
# its own devices, so that no program in it can access a disk; terminals for script(1), loop devices for file systems in files
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "loop-control", *(f"loop{n}" for n in range(8)))


def missing(*programs):
    """Returns why it cannot be installed here; None: it can."""
    if os.getuid():
        return "needs root"
    return next((f"{name} is not installed" for name in ("debootstrap", "unshare", *programs) if not shutil.which(name)), None)


def run(*command, seconds=1800, check=True, **more):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=seconds, **more)
    assert not check or done.returncode == 0, (command, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


def make(home, release, packages):
    """Installs in HOME/root the smallest such Debian with these packages, and the source as a new user has it."""
    root = f"{home}/root"
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home)
    run("debootstrap", "--variant=minbase", "--include=" + ",".join(packages), release, root, MIRROR)
    shutil.copy("/etc/resolv.conf", f"{root}/etc/resolv.conf")
    os.makedirs(root + SOURCE)
    for name in ("configure.ac", "Makefile.am", "README", "COPYING", "try", "src", "etc", "tests", "doc", ".ci"):
        # in the tree of a build these names are symbolic links
        run("cp", "-a", os.path.realpath(f"{g.TOP}/{name}"), root + SOURCE)
    return root


def enter(root, script, has_network):
    """Returns the command that runs a shell script as root in it, in its own mount and process namespaces, which end with the
    command.  Its network is this machine's, or only loopback."""
    dev = f"{root}/dev"
    before = [
        "mount --make-rprivate /",
        f"mount --rbind {root} {root}",  # a mount, so that a test in it can have its own mounts
        f"mount -t proc proc {root}/proc",
        f"mount --rbind /sys {root}/sys",
        f"mount -t tmpfs -o mode=755 tmpfs {dev}",
        f"mkdir {dev}/pts {dev}/shm",
        f"mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts {dev}/pts",
        f"mount -t tmpfs -o mode=1777 tmpfs {dev}/shm",
        f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp",
        f"ln -s pts/ptmx {dev}/ptmx",
        f"ln -s /proc/self/fd {dev}/fd",
        *(f"ln -s fd/{n} {dev}/{name}" for n, name in enumerate(("stdin", "stdout", "stderr"))),
        *(f"[ ! -e /dev/{name} ] || cp -a /dev/{name} {dev}/" for name in DEVICES),
    ]
    if not has_network:
        before.append("ip link set lo up")
    inside = ("env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
              "DEBIAN_FRONTEND=noninteractive", "/bin/sh", "-ec")
    outside = "\n".join(before) + f'\nexec chroot {root} "$@"\n'
    return ("unshare", "--mount", "--pid", "--fork", "--kill-child", *(() if has_network else ("--net",)),
            "/bin/sh", "-ec", outside, "sh", *inside, script)
