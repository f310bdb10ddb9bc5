"""disks: file systems of a chosen size, in a mount namespace of the test's own.  Needs root."""
import os
import subprocess
import sys

import gateway as g


def own_mounts():
    """Runs the calling test again with mounts of its own, or skips it."""
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
    """An empty file system, which belongs to the user that the gateway runs as."""
    os.makedirs(directory, 0o700, exist_ok=True)
    user = g.test_user()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700,uid={user.pw_uid},gid={user.pw_gid}",
                    "tmpfs", directory], check=True)


def unmount(directory):
    subprocess.run(["umount", directory], check=True)
