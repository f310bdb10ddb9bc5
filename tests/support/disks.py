"""disks: file systems of a chosen size, in the test's own mount namespace.  Needs root."""
import os
import subprocess
import sys

import gateway as g


def own_mounts():
    """Runs the calling test again in its own mount namespace, or skips it."""
    if os.getuid():
        print("1..0 # SKIP only root can mount")
        sys.exit(0)
    if os.environ.get("DISKS_OWN_MOUNTS"):
        return
    os.environ["DISKS_OWN_MOUNTS"] = "1"
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        print("1..0 # SKIP no mounts of one's own here")
        sys.exit(0)
    os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])


def mount(directory, megabytes):
    """Mounts an empty file system, which belongs to the user that the gateway runs as."""
    os.makedirs(directory, 0o700, exist_ok=True)
    user = g.test_user()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700,uid={user.pw_uid},gid={user.pw_gid}",
                    "tmpfs", directory], check=True)


def mount_ext4(directory, image, megabytes):
    """The same with an ext4 in a file, which can be frozen.  False: it is not possible here."""
    os.makedirs(directory, 0o700, exist_ok=True)
    with open(image, "wb") as f:
        f.truncate(megabytes << 20)
    user = g.test_user()
    for command in (["mkfs.ext4", "-q", "-F", "-E", f"root_owner={user.pw_uid}:{user.pw_gid}", image],
                    ["mount", "-o", "loop", image, directory]):
        if subprocess.run(command, check=False, capture_output=True).returncode:
            return False
    os.rmdir(f"{directory}/lost+found")
    os.chmod(directory, 0o700)
    return True


def freeze(directory):
    """Freezes the file system: from now on every change in it waits in the kernel."""
    subprocess.run(["fsfreeze", "-f", directory], check=True)


def thaw(directory):
    subprocess.run(["fsfreeze", "-u", directory], check=True)


def unmount(directory):
    subprocess.run(["umount", directory], check=True)
