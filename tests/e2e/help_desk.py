#!/usr/bin/env python3
"""help_desk: members of the group help_desk_group may look with the tool, and remove blocks, and do nothing else."""
import glob
import grp
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("help_desk")
ROOT = os.getuid() == 0
NEEDS_ROOT = "needs root to be several users"
DESK, OTHER = grp.getgrnam("mail"), grp.getgrnam("users")
MEMBER, STRANGER, OWNER = 61001, 61002, 61003  # numbers of users that the system need not know
tap = g.Tap()
# the way to it is open to every user, wherever the sources are
PLACE = tempfile.mkdtemp(prefix="sallyport-desk-", dir="/tmp")
os.chmod(PLACE, 0o755)
TOOL, DAEMON = (shutil.copy(f"{g.BUILD}/{name}", PLACE) for name in ("sallyport", "sallyportd"))
RUN = f"{PLACE}/run"
gate = g.Gateway(f"{HOME}/gateway", routes='routes: ( { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );',
                 queue=f'queue: {{ directory = "{HOME}/gateway/spool"; retry = [ "1h" ]; minimum_free = "1%"; }};',
                 state=f'state_directory = "{HOME}/gateway/state";\nrun_directory = "{RUN}";',
                 desk='help_desk_group = "mail";')


def as_user(*words, uid=MEMBER, gid=None, groups=(DESK.gr_gid,), given=None):
    return subprocess.run([TOOL, "--run-directory", RUN, *words], input=given, text=True, capture_output=True, check=False,
                          timeout=60, user=uid, group=uid if gid is None else gid, extra_groups=list(groups))


def looks(*words, **who):
    run = as_user(*words, **who)
    assert run.returncode == 0, (words, run)
    return run.stdout


def modes():
    s = os.lstat(f"{RUN}/control.sock")
    return s.st_gid, stat.S_IMODE(s.st_mode)


def reload(desk):
    """With this line in place of the former one; what the tool says."""
    gate.parts["desk"] = desk
    gate.write_config()
    run = gate.tool("reload", check=False)
    return run.returncode, run.stdout + run.stderr


def table():
    """verb -> right, of the table of commands."""
    with open(f"{g.TOP}/src/ipc/operator_commands.c", encoding="utf-8") as f:
        return dict(re.findall(r'\.verb = "([a-z.]+)",\s+\.owner = ROLE_[A-Z]+,\s+\.right = OPERATOR_([A-Z]+),', f.read()))


@tap.case
def every_verb_has_its_right():
    """the table of rights names the verbs that the roles answer: all of them, and no other"""
    answered = set()
    for folder in ("auth", "queue", "relay", "main/daemon_admin.c"):
        path = f"{g.TOP}/src/{folder}"
        files = [path] if path.endswith(".c") else glob.glob(f"{path}/**/*.c", recursive=True)
        for name in files:
            with open(name, encoding="utf-8") as f:
                text = f.read()
            answered |= set(re.findall(r'str_eq\([\w>.-]+verb, STR\("([a-z.]+)"\)\)', text))
            answered |= set(re.findall(r'^    \{"([a-z]+\.[a-z]+)", \w+, ', text, re.M))
    assert answered == set(table()), answered ^ set(table())
    assert len(answered) > 20, answered


@tap.case
def verbs_of_the_tool():
    """each verb that the tool says is in the table"""
    said = set()
    for name in os.listdir(f"{g.TOP}/src/tool"):
        if name.endswith(".c"):
            with open(f"{g.TOP}/src/tool/{name}", encoding="utf-8") as f:
                text = f.read()
            said |= set(re.findall(r'"((?:config|user|block|test|queue|route|dns)\.[a-z]+|reload|status|metrics)"', text))
    keys = set(re.findall(r"^\.It Ic ([a-z_.]+)$", open(f"{g.BUILD}/doc/sallyport.cfg.5", encoding="utf-8").read(), re.M))
    assert said - keys <= set(table()), said - keys - set(table())
    assert "queue.list" in said and "config.show" in said, said


@tap.case
def without_the_key():
    """without help_desk_group the socket is the daemon's user's alone, and nobody else is answered"""
    if not ROOT:
        return NEEDS_ROOT
    gate.parts["desk"] = ""
    gate.write_config()
    gate.start().add_user()
    owner = g.test_user()
    assert modes() == (owner.pw_gid, 0o600), modes()
    refused = as_user("queue", "list")
    assert refused.returncode == 77, refused
    code, said = reload('help_desk_group = "mail";')
    assert code == 0 and "help_desk_group" in said, said
    assert modes() == (DESK.gr_gid, 0o660), modes()
    assert os.lstat(f"{RUN}/control.sock").st_uid == owner.pw_uid
    assert "no messages" in looks("queue", "list")
    return None


@tap.case
def what_a_member_sees():
    """status, queue list and show, user list and show, block list, test route: by a group beside the first one, or as the first"""
    if not ROOT:
        return NEEDS_ROOT
    gate.send(subject="where is it")
    number = json.loads(looks("queue", "list", "--json"))["id"]
    assert number in looks("queue", "list", "--user", gate.user, gid=DESK.gr_gid, groups=())
    shown = looks("queue", "show", number)
    assert "Subject: where is it" in shown and "Hello" not in shown, shown
    assert "control" in looks("status")
    assert gate.user in looks("user", "list")
    record = json.loads(looks("user", "show", gate.user, "--json"))
    assert record["queued"] == 1 and record["state"] == "active", record
    assert not any("secret" in key or "password" in key and key != "password_changed" for key in record), record
    assert "127.0.0.1" in looks("test", "route", "bob@example.net")
    refused = gate.log().count("action=config.show")
    assert "limits.per_user" in looks("config", "explain", "limits.per_user")
    time.sleep(0.3)
    assert gate.log().count("action=config.show") == refused, "it was answered: nothing was refused"
    return None


@tap.case
def a_block_is_removed():
    """block remove is the one command that changes something; the log has who gave it"""
    if not ROOT:
        return NEEDS_ROOT
    gate.tool("block", "add", gate.user, "--for", "1h")
    assert gate.user in looks("block", "list")
    looks("block", "remove", gate.user, "--reason", "ticket 7")
    gate.wait_log(f"admin id=- action=block.remove by=uid:{MEMBER} via=socket .*")
    gate.connect().quit()
    return None


# verb -> words, of all that are for root alone; a change that is refused leaves what the next one needs
REFUSED = {
    "reload": ("reload",), "config.show": ("config", "show", "--running"), "config.diff": ("config", "diff"),
    "user.add": ("user", "add", "eve@example.com", "--generate"),
    "user.password": ("user", "password", "alice@example.com", "--generate"),
    "user.suspend": ("user", "suspend", "alice@example.com", "--hold"),
    "user.resume": ("user", "resume", "alice@example.com"), "user.remove": ("user", "remove", "alice@example.com"),
    "block.add": ("block", "add", "192.0.2.0/24", "--for", "1h"), "test.auth": ("test", "auth", "alice@example.com"),
    "queue.retry": ("queue", "retry", "--all"), "queue.hold": ("queue", "hold", "--all"),
    "queue.release": ("queue", "release", "--all"), "queue.delete": ("queue", "delete", "--all"),
}


@tap.case
def everything_else_is_refused():
    """each other command is refused with 77, the words of what it needs and a line of the log; nothing has changed"""
    if not ROOT:
        return NEEDS_ROOT
    rights = table()
    assert set(REFUSED) == {verb for verb, right in rights.items() if right == "ACT"}, set(REFUSED) ^ set(rights)
    before = gate.queue(), gate.tool("user", "list").stdout, gate.tool("block", "list").stdout
    for verb, words in REFUSED.items():
        more = ("--password-stdin",) if verb == "test.auth" else ("--yes",) if words[0] == "queue" else ()
        run = as_user(*words, *more, given=g.PASSWORD + "\n")
        name = "config show --running" if verb == "config.show" else " ".join(words[:1 if verb == "reload" else 2])
        wanted = f"{name} needs root; members of the group mail may only look, and remove blocks"
        assert run.returncode == 77 and wanted in run.stderr, (verb, run)
        gate.wait_log(f'admin refused id=- action={verb} by=uid:{MEMBER} via=socket claim="loginuid=')
    number = before[0][0]["id"]
    for option in ("--body", "--raw"):
        run = as_user("queue", "show", number, option)
        assert run.returncode == 77 and "queue show with --body or --raw needs root" in run.stderr, run
        assert "Hello" not in run.stdout, run
    ages = [[{k: v for k, v in row.items() if k != "age_s"} for row in rows] for rows in (before[0], gate.queue())]
    assert ages[0] == ages[1] and before[1:] == (gate.tool("user", "list").stdout, gate.tool("block", "list").stdout)
    return None


@tap.case
def root_and_strangers():
    """root and the daemon's user may do everything as before; a user of no group, or of another one, reaches nothing"""
    if not ROOT:
        return NEEDS_ROOT
    number = gate.queue()[0]["id"]
    assert "Hello" in gate.tool("queue", "show", number, "--body").stdout
    own = g.test_user()
    held = as_user("queue", "hold", number, uid=own.pw_uid, gid=own.pw_gid, groups=())
    assert held.returncode == 0, held
    gate.tool("queue", "release", number)
    for groups in ((), (OTHER.gr_gid,)):
        stranger = as_user("queue", "list", uid=STRANGER, groups=groups)
        assert stranger.returncode == 77 and "members of help_desk_group" in stranger.stderr, stranger
    return None


@tap.case
def many_connections():
    """a member with as many connections as it can get leaves room for root, and for another member"""
    if not ROOT:
        return NEEDS_ROOT
    code = ("import socket, sys\n"
            "held = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(60)]\n"
            "for s in held:\n    s.settimeout(20)\n    s.connect(sys.argv[1])\n"
            "print(sum(len(s.recv(1000)) > 0 for s in held), flush=True)\nsys.stdin.read()\n")
    with subprocess.Popen(["/usr/bin/python3", "-c", code, f"{RUN}/control.sock"], stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE, user=MEMBER, group=MEMBER, extra_groups=[DESK.gr_gid]) as many:
        assert many.stdout.readline() == "8\n"
        gate.tool("status")
        looks("queue", "list", uid=STRANGER)
        assert as_user("queue", "list").returncode == 75
        many.stdin.close()
    gate.wait_log(f'admin refused uid={MEMBER} why="too many connections"')
    g.wait_for("room again", 20, lambda: as_user("queue", "list").returncode == 0)
    return None


@tap.case
def a_reload_changes_the_group():
    """another group, no group, and one that does not exist: the first two hold at once, the last one changes nothing"""
    if not ROOT:
        return NEEDS_ROOT
    code, said = reload('help_desk_group = "users";')
    assert code == 0 and modes() == (OTHER.gr_gid, 0o660), (said, modes())
    assert as_user("queue", "list").returncode == 77
    looks("queue", "list", groups=(OTHER.gr_gid,))
    code, said = reload('help_desk_group = "no-such-group";')
    assert code == 78 and re.search(r'sallyport.cfg:\d+: error: help_desk_group: no group "no-such-group" is found',
                                    said), said
    looks("queue", "list", groups=(OTHER.gr_gid,))
    checked = gate.tool("config", "check", check=False)
    assert checked.returncode == 78 and "no-such-group" in checked.stdout, checked
    code, said = reload("")
    assert code == 0 and modes() == (g.test_user().pw_gid, 0o600), (said, modes())
    assert as_user("queue", "list", groups=(OTHER.gr_gid,)).returncode == 77
    assert reload('help_desk_group = "mail";')[0] == 0
    looks("queue", "list")
    return None


@tap.case
def a_socket_that_cannot_be_opened():
    """a reload that cannot give the socket to the group is refused whole, and says so"""
    if not ROOT:
        return NEEDS_ROOT
    failed = gate.log().count("reload failed ")
    os.rename(f"{RUN}/control.sock", f"{RUN}/elsewhere")
    try:
        gate.parts["desk"] = 'help_desk_group = "users";\npostmaster = "it@example.com";'
        gate.write_config()
        os.kill(gate.main_pid(), signal.SIGHUP)
        gate.wait_log('reload failed configuration=[0-9]+ text="help_desk_group: group .*/control.sock.*: No such file or directory; '
                      'the running configuration is unchanged"')
        assert gate.log().count("reload failed ") == failed + 1, "one reload is one line"
    finally:
        os.rename(f"{RUN}/elsewhere", f"{RUN}/control.sock")
    assert modes() == (DESK.gr_gid, 0o660), modes()
    assert "it@example.com" not in gate.tool("config", "show", "--running").stdout
    looks("queue", "list")
    assert reload('help_desk_group = "mail";')[0] == 0
    return None


@tap.case
def control_is_started_again():
    """a control process that is started again has the group, too"""
    if not ROOT:
        return NEEDS_ROOT
    pid = next(p for p, (role, _) in gate.processes().items() if role == "control")
    os.kill(pid, signal.SIGKILL)
    g.wait_for("another control process", 20, lambda: as_user("queue", "list").returncode == 0)
    assert as_user("reload").returncode == 77
    return None


@tap.case
def a_narrow_run_directory():
    """a run directory that others cannot search is opened for the group alone, and shut again when the key goes"""
    if not ROOT:
        return NEEDS_ROOT
    os.chmod(RUN, 0o700)
    assert reload('help_desk_group = "mail";')[0] == 0
    s = os.stat(RUN)
    assert (s.st_uid, s.st_gid, stat.S_IMODE(s.st_mode)) == (0, DESK.gr_gid, 0o710), s
    looks("status")
    assert reload("")[0] == 0
    assert stat.S_IMODE(os.stat(RUN).st_mode) == 0o700
    os.chmod(RUN, 0o755)
    assert reload('help_desk_group = "mail";')[0] == 0
    return None


@tap.case
def a_configuration_that_a_member_cannot_read():
    """with /etc/sallyport/sallyport.cfg for root alone, commands go to the usual run_directory without a word about the file;
    where nobody answers there, the tool says which options help"""
    if not ROOT:
        return NEEDS_ROOT
    script = (f"set -e; mount -t tmpfs none /etc; mkdir -p /etc/sallyport; cp '{gate.config}' /etc/sallyport/sallyport.cfg; "
              f"chmod 640 /etc/sallyport/sallyport.cfg; mount -t tmpfs none /run; chmod 755 /run /etc; mkdir /run/sallyport; "
              f"[ \"$1\" = nobody ] || mount --bind '{RUN}' /run/sallyport; shift; "
              f"exec setpriv --reuid {MEMBER} --regid {MEMBER} --groups {DESK.gr_gid} '{TOOL}' \"$@\"")

    def inside(which, *words):
        return subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", which, *words], text=True, capture_output=True,
                              check=False, timeout=60)
    run = inside("daemon", "queue", "list", "--quiet")
    if "mount" in run.stderr and "permission" in run.stderr:
        return "nothing can be mounted here"
    assert run.returncode == 0 and run.stderr == "" and run.stdout, run
    shown = inside("daemon", "user", "show", gate.user)
    assert shown.returncode == 0 and "sender_policy.send_as" in shown.stderr, shown
    explained = inside("daemon", "config", "explain", "limits.per_user")
    assert explained.returncode == 0 and explained.stderr == "", explained
    for words in (("queue", "list"), ("user", "list")):
        nobody = inside("nobody", *words)
        assert nobody.returncode == 69 and "--run-directory" in nobody.stderr and "-c" in nobody.stderr, nobody
    elsewhere = inside("nobody", "--run-directory", RUN, "queue", "list", "--quiet")
    assert elsewhere.returncode == 0 and elsewhere.stderr == "", elsewhere
    named = inside("daemon", "-c", "/etc/sallyport/sallyport.cfg", "queue", "list", "--quiet")
    assert named.returncode == 0 and "Permission denied" in named.stderr, named
    return None


def own_daemon(desk):
    """The configuration of a daemon that runs without root, in the group users."""
    other = g.Gateway(f"{PLACE}/own", desk=desk)
    for path, _, names in os.walk(other.directory):
        for name in [path, *(f"{path}/{n}" for n in names)]:
            os.chown(name, OWNER, OWNER)
    return other


@tap.case
def a_daemon_without_root():
    """it may have a group of its own user; another one is an error with file and line"""
    if not ROOT:
        return NEEDS_ROOT
    who = {"user": OWNER, "group": OWNER, "extra_groups": [OTHER.gr_gid]}
    other = own_daemon('help_desk_group = "mail";')
    run = subprocess.run([DAEMON, "-c", other.config], text=True, capture_output=True, check=False, timeout=30, **who)
    assert run.returncode == 78 and re.search(r"sallyport.cfg:\d+: error: help_desk_group: uid 61003 is no member of the group "
                                              r'"mail"', run.stderr), run
    other = own_daemon('help_desk_group = "users";')
    with open(f"{other.directory}/stderr", "ab") as said:
        other.process = subprocess.Popen([DAEMON, "-c", other.config], stdout=said, stderr=said, start_new_session=True, **who)
    try:
        g.wait_for(f"it is ready ({other.tail()})", 30, other.is_ready)
        s, d = os.lstat(f"{other.directory}/run/control.sock"), os.stat(f"{other.directory}/run")
        assert (s.st_uid, s.st_gid, stat.S_IMODE(s.st_mode)) == (OWNER, OTHER.gr_gid, 0o660), s
        assert (d.st_uid, d.st_gid, stat.S_IMODE(d.st_mode)) == (OWNER, OTHER.gr_gid, 0o710), d
        asked = ("--run-directory", f"{other.directory}/run")
        assert "no messages" in looks(*asked, "queue", "list", groups=(OTHER.gr_gid,))
        assert as_user(*asked, "reload", groups=(OTHER.gr_gid,)).returncode == 77
        assert as_user(*asked, "reload", uid=OWNER, groups=()).returncode == 0
    finally:
        other.stop()
    return None


@tap.case
def a_group_that_is_missing_at_the_start():
    """the daemon starts; its log and its status say what is missing, also where nobody reads its standard error"""
    other = g.Gateway(f"{PLACE}/missing", desk='help_desk_group = "no-such-group";')
    other.start()
    try:
        other.wait_log('config warning text=".*help_desk_group: no group .*no-such-group.* is found')
        assert 'warning: help_desk_group: no group "no-such-group" was found' in other.tool("status").stdout
        daemon = [json.loads(line) for line in other.tool("status", "--json").stdout.splitlines()][0]
        assert daemon["row"] == "daemon" and "no-such-group" in daemon["warning"], daemon
    finally:
        other.stop()


try:
    tap.run()
finally:
    gate.stop()
    shutil.rmtree(PLACE, ignore_errors=True)
