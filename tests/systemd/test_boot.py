"""A whole machine: Debian boots, systemd starts the terminal, a clerk sells, and things go wrong.

Not shown here: DevicePolicy=, DeviceAllow= and IPAddressDeny= of the unit, which a container does not
enforce on every kernel; and serial ports, which are pseudo-terminals here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.acquirer.cards import CARDS
from tests.systemd.booted_machine import BootedMachine, Counter
from tests.systemd.debian_root import inside, machine_root, missing, udev_says

pytestmark = pytest.mark.skipif(
    bool(missing()) and os.environ.get("POSD_CI") != "1", reason=missing() or "nothing is missing"
)

INSIDE = Path(__file__).parent / "inside"
SETTINGS = "[devices.printer]\nspeed = 115200\n"
INIT = (
    "--terminal-id=T0000001", "--merchant-id=M00000000000001", "--merchant-name=测试商户",
    "--address=127.0.0.1", "--port=6000", "--from=/srv/settings.toml", "--passwords-from=-",
)  # fmt: skip
SUPERVISOR, ADMINISTRATOR = "246810", "24681357"
PASSWORDS = f"supervisor={SUPERVISOR}\nadministrator={ADMINISTRATOR}\n"
MASTER, MASTER_CHECK = "0123456789ABCDEFFEDCBA9876543210", "08D7B4FB"
LOAD = ("keys", "load", "--file=-", f"--check-value={MASTER_CHECK}")
POSCTL = "/usr/local/bin/posctl"  # as posd install links it
TECHNICIAN, STRANGER = "technician", "stranger"
COUNTER = """\
[Service]
Type=exec
User=posd
RuntimeDirectory=counter
ExecStartPre=+/bin/install -d -o posd -g posd /dev/posd
Environment=TERMINAL=T0000001 MERCHANT=M00000000000001 KEY=/srv/master.key PORT=6000
ExecStart=/opt/posd/bin/python /srv/inside/counter.py /shared/counter /dev/posd $PORT $TERMINAL $MERCHANT $KEY
[Install]
WantedBy=multi-user.target
"""
QUICK = """\
[Service]
WatchdogSec=8
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with machine_root(tmp_path_factory.mktemp("machine")) as root:
        yield root


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("shared")
    directory.chmod(0o777)
    return directory


def set_up(machine: BootedMachine) -> None:
    """What `posd install` says that comes next, and two people who will ask the terminal."""
    machine.must("systemd-sysusers")
    machine.must("systemd-tmpfiles", "--create")
    machine.must("systemctl", "daemon-reload")
    machine.must("systemctl", "enable", "posd")
    machine.must("/opt/posd/bin/posd", "init", *INIT, stdin=PASSWORDS)
    machine.must("/opt/posd/bin/posd", *LOAD, stdin=MASTER)
    machine.must("systemctl", "start", "posd")
    machine.must("useradd", "--groups=posd-tech", TECHNICIAN)
    machine.must("useradd", STRANGER)


@pytest.fixture(scope="module")
def machine(root: Path, shared: Path) -> Iterator[BootedMachine]:
    """Set up in a first life; this is its second one."""
    (root / "srv/settings.toml").write_text(SETTINGS)
    (root / "srv/master.key").write_text(MASTER)
    binds = [(INSIDE, "/srv/inside")]
    machine = BootedMachine(root, shared, binds)
    try:
        set_up(machine)
        assert machine.power_off() == 0
    finally:
        machine.close()
    (root / "etc/systemd/system/counter.service").write_text(COUNTER)
    wanted = root / "etc/systemd/system/multi-user.target.wants/counter.service"
    wanted.symlink_to("../counter.service")
    (root / "etc/systemd/system/posd.service.d/quick.conf").write_text(QUICK)
    (root / "var/log/journal").mkdir(exist_ok=True)
    machine = BootedMachine(root, shared, binds)
    try:
        yield machine
    finally:
        machine.close()


@pytest.fixture(scope="module")
def counter(machine: BootedMachine) -> Iterator[Counter]:
    counter = Counter(machine, machine.shared / "counter")
    yield counter
    counter.close()


def is_ready(machine: BootedMachine, after: str = "") -> bool:
    """Active, by a process other than that one."""
    process = machine.property_of("posd", "MainPID")  # first: the old one was active to its end
    return process not in ("0", after) and machine.property_of("posd", "ActiveState") == "active"


def start_again(machine: BootedMachine) -> None:
    """Once what kept it is mended. A question may be starting it just then, with what was there before."""
    machine.wait("start", lambda: machine.run("systemctl", "start", "posd").returncode == 0)


def sign_in(counter: Counter) -> None:
    counter.ask("press confirm")
    counter.expect("请刷卡或输入金额", "已签到")


def begin_sale(counter: Counter, fen: int) -> None:
    counter.expect("请刷卡或输入金额")
    counter.ask(f"press {fen}")
    counter.expect(f"{fen / 100:.2f}")
    counter.ask("press confirm")
    counter.expect("请刷卡")
    counter.ask("swipe nopin")


def take_slips(counter: Counter) -> str:
    """Both copies; returns the voucher number on the first one."""
    counter.expect("交易成功")
    counter.expect("请撕纸")
    vouchers = re.findall(r"(?<!原)凭证号\s+(\d{6})", "\n".join(counter.ask("paper")))
    counter.ask("press confirm")
    counter.expect("请刷卡或输入金额")
    return str(vouchers[-1])


def test_udev_gives_a_port_with_a_role_to_the_terminal(root: Path) -> None:
    """Before it boots: udev does not run in a container. Any device will do."""
    inside("systemd-sysusers", root=root)
    user = next(
        line.split(":")[2]
        for line in (root / "etc/passwd").read_text().splitlines()
        if line.startswith("posd:")
    )
    rule = 'SUBSYSTEM=="tty", KERNEL=="ptmx", ENV{POSD_ROLE}="printer"'
    said = udev_says(root, rule, "class/tty/ptmx")
    assert "DEVLINKS=/dev/posd/printer" in said
    assert "ID_MM_DEVICE_IGNORE=1" in said
    for what in (f"OWNER {user}", f"GROUP {user}", "MODE 0600", "LINK 'posd/printer'"):
        assert f"70-posd.rules:5 {what}" in said
    without = udev_says(root, "# no rule", "class/tty/ptmx")
    assert "70-posd.rules:" not in without
    assert "posd.rules" in without
    for line in (said + without).splitlines():
        assert "posd" not in line or "nvalid" not in line


def test_the_terminal_says_that_it_is_ready(machine: BootedMachine) -> None:
    machine.wait("active terminal", lambda: is_ready(machine))
    assert machine.property_of("posd", "Type") == "notify"
    # The counter with its devices may come up after the terminal.
    machine.wait("status", lambda: machine.property_of("posd", "StatusText") == "running")
    assert "ready seconds=" in machine.journal("--unit=posd")


def test_files_belong_to_whom_they_should_and_it_runs_as_its_own_user(
    machine: BootedMachine,
) -> None:
    process = machine.property_of("posd", "MainPID")
    assert machine.run("stat", "--format=%U", f"/proc/{process}").stdout.strip() == "posd"
    for path, owner in (
        ("/etc/posd", "root posd 750"),
        ("/etc/posd/posd.toml", "root posd 640"),
        ("/etc/posd/device-key.cred", "root root 600"),
        ("/etc/posd/master-key.cred", "root root 600"),
        ("/var/lib/posd", "posd posd 700"),
        ("/var/lib/posd/ledger.db", "posd posd 600"),
        ("/run/posd/diag.sock", "root posd-tech 660"),
    ):
        assert machine.must("stat", "--format=%U %G %a", path).strip() == owner
    for name in ("device.key", "master.key"):
        assert machine.run("stat", f"/etc/posd/{name}").returncode == 1  # only the encrypted one


def test_keys_show_their_check_values_to_root_and_nothing_to_others(machine: BootedMachine) -> None:
    said = machine.must("/opt/posd/bin/posd", "keys", "show")
    assert f"master-key: check value {MASTER_CHECK}" in said
    assert "encrypted to this machine" in said
    others = machine.run("/opt/posd/bin/posd", "keys", "show", user="posd")
    assert (others.returncode, others.stdout) == (1, "")


def test_a_sale_and_its_void_run_through_the_devices(
    machine: BootedMachine, counter: Counter
) -> None:
    sign_in(counter)
    begin_sale(counter, 12345)
    voucher = take_slips(counter)
    counter.ask("press confirm")
    counter.expect("撤销")
    counter.ask("press 1")
    counter.expect("主管密码")
    counter.ask(f"press {SUPERVISOR} confirm")
    counter.expect("请输原凭证号")
    counter.ask(f"press {voucher} confirm")
    counter.expect(voucher, "123.45")
    counter.ask("press confirm")
    counter.expect("请刷卡")
    counter.ask("swipe nopin")
    take_slips(counter)
    assert counter.ask("heard") == ["0800", "0200", "0200"]
    paper = "\n".join(counter.ask("paper"))
    for text in ("消费/SALE", "消费撤销/VOID", "RMB 123.45", "商户存根", "持卡人存根"):
        assert text in paper


def test_a_technician_asks_the_terminal_and_others_are_refused(machine: BootedMachine) -> None:
    allowed = machine.run(POSCTL, "status", user=TECHNICIAN)
    assert allowed.returncode in (0, 6), allowed.stderr  # 6: it cannot sell at the moment
    assert "T0000001" in allowed.stdout
    assert machine.run(POSCTL, "journal").returncode == 0  # root
    refused = machine.run(POSCTL, "status", user=STRANGER)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "posd-tech" in refused.stderr
    keys = machine.run("/usr/local/bin/posd", "keys", "show", user=STRANGER)
    assert keys.returncode == 1
    assert "permission denied" in keys.stderr
    assert "Traceback" not in keys.stderr


def test_the_doctor_needs_no_root_for_what_a_technician_may_know(machine: BootedMachine) -> None:
    examined = machine.run(POSCTL, "doctor", "--json", user=TECHNICIAN)
    found = {each["what"]: each for each in map(json.loads, examined.stdout.splitlines())}
    for what in ("keypad", "display", "printer", "card reader", "disk", "acquirer"):
        assert found[what]["state"] == "good", found
    for what in ("configuration", "device key", "master key"):
        assert found[what]["state"] == "unknown"
        assert "as root" in found[what]["fix"]


def test_killed_in_the_middle_of_a_sale_it_starts_again_and_reverses(
    machine: BootedMachine, counter: Counter
) -> None:
    counter.expect("请刷卡或输入金额")
    process = machine.property_of("posd", "MainPID")
    heard = counter.ask("heard")
    begin_sale(counter, 68)  # the acquirer approves and does not answer
    machine.wait("request", lambda: counter.ask("heard") == [*heard, "0200"])
    machine.signal("posd", "KILL")
    machine.wait("new process", lambda: is_ready(machine, process))
    machine.wait("reversal", lambda: counter.ask("heard")[: len(heard) + 2][-1] == "0400")
    counter.expect("已冲正")
    assert machine.property_of("posd", "NRestarts") == "1"
    counter.ask("press cancel")
    counter.expect("请刷卡或输入金额")


def test_a_loop_that_hangs_is_ended_by_the_watchdog(
    machine: BootedMachine, counter: Counter
) -> None:
    process = machine.property_of("posd", "MainPID")
    machine.signal("posd", "STOP")
    machine.wait("new process", lambda: is_ready(machine, process))
    assert "Watchdog timeout" in machine.journal("--unit=posd")
    counter.expect("请刷卡或输入金额")


def test_after_all_that_the_technicians_socket_is_what_it_was(machine: BootedMachine) -> None:
    owner = machine.must("stat", "--format=%U %G %a", "/run/posd/diag.sock").strip()
    assert owner == "root posd-tech 660"
    assert machine.run(POSCTL, "journal", user=TECHNICIAN).returncode == 0


def test_a_question_does_not_start_a_terminal_that_was_stopped(machine: BootedMachine) -> None:
    machine.must("systemctl", "stop", "posd")
    asked = machine.run(POSCTL, "status", user=TECHNICIAN)
    assert asked.returncode == 3, asked.stderr
    assert machine.property_of("posd", "ActiveState") == "inactive"
    machine.must("systemctl", "start", "posd")
    assert machine.run(POSCTL, "journal", user=TECHNICIAN).returncode == 0


def test_tools_for_a_stopped_terminal_find_its_keys_and_leave_its_files_to_it(
    machine: BootedMachine,
) -> None:
    machine.must("systemctl", "stop", "posd")
    at = ("--config", "/etc/posd/posd.toml")
    assert machine.must("/usr/local/bin/posd", "ledger", "verify", *at).endswith("whole\n")
    close = machine.run("/usr/local/bin/posd", "close", *at, "--report", "/run/report")
    assert close.returncode == 2, close  # it opened the ledger under its key, and
    assert "settle" in close.stderr
    owners = machine.must("find", "/var/lib/posd", "-not", "-user", "posd")
    assert owners == ""
    machine.must("systemctl", "start", "posd")
    assert machine.run(POSCTL, "journal", user=TECHNICIAN).returncode == 0


def test_a_configuration_that_cannot_work_is_tried_once_and_nobody_waits_for_it(
    machine: BootedMachine,
) -> None:
    good = machine.must("cat", "/etc/posd/posd.toml")
    machine.must("sed", "-i", "s/^terminal_id = .*/terminal_id = 1/", "/etc/posd/posd.toml")
    try:
        assert machine.run("systemctl", "restart", "posd").returncode != 0
        assert machine.property_of("posd", "ExecMainStatus") == "2"
        assert "terminal.terminal_id: expected" in machine.journal("--unit=posd")
        asked = machine.run(POSCTL, "status", user=TECHNICIAN)
        assert asked.returncode == 3, asked.stderr
        machine.wait(
            "closed socket", lambda: machine.property_of("posd", "ActiveState") == "failed"
        )
        assert int(machine.property_of("posd", "NRestarts")) == 0
    finally:
        machine.must("tee", "/etc/posd/posd.toml", stdin=good)
    start_again(machine)
    assert machine.run(POSCTL, "journal", user=TECHNICIAN).returncode == 0


def test_a_terminal_without_its_master_key_says_so_and_is_not_tried_again(
    machine: BootedMachine,
) -> None:
    machine.must("rm", "/etc/posd/master-key.cred")
    assert machine.run("systemctl", "restart", "posd").returncode != 0
    assert machine.property_of("posd", "ActiveState") == "failed"
    assert machine.property_of("posd", "NRestarts") == "0"
    assert "keys.master_key_file: expected a key" in machine.journal("--unit=posd")
    asked = machine.run(POSCTL, "status", user=TECHNICIAN)
    assert asked.returncode == 3, asked.stderr
    examined = machine.run(POSCTL, "doctor")
    assert "a key is missing" in " ".join(examined.stdout.split())
    assert "no key has been loaded" in examined.stdout
    machine.must("/opt/posd/bin/posd", *LOAD, stdin=MASTER)
    machine.must("rm", "/etc/systemd/system/posd.service.d/50-encrypted-keys.conf")
    examined = machine.run(POSCTL, "doctor")
    assert "posd.service is not told where it is" in " ".join(examined.stdout.split())
    machine.must("/opt/posd/bin/posd", "install")
    start_again(machine)
    assert machine.run(POSCTL, "journal", user=TECHNICIAN).returncode == 0


def test_a_key_that_cannot_be_decrypted_is_named_and_tried_again_until_it_can(
    machine: BootedMachine,
) -> None:
    machine.must("mv", "/etc/posd/master-key.cred", "/etc/posd/kept.cred")
    machine.must("cp", "/etc/posd/device-key.cred", "/etc/posd/master-key.cred")  # not made for it
    assert machine.run("systemctl", "restart", "posd").returncode != 0
    asked = machine.run(POSCTL, "status", user=TECHNICIAN)
    assert asked.returncode == 3, asked.stderr

    def reason() -> str:  # in the moment of a new try it is just starting
        return machine.run(POSCTL, "doctor").stdout

    machine.wait("reason", lambda: "243/CREDENTIALS" in reason())
    assert "systemd-creds decrypt: " in reason()
    machine.must("mv", "/etc/posd/kept.cred", "/etc/posd/master-key.cred")
    machine.wait("active terminal", lambda: is_ready(machine))
    assert machine.run(POSCTL, "journal", user=TECHNICIAN).returncode == 0


def test_the_journal_tells_the_story_and_holds_no_card_number(machine: BootedMachine) -> None:
    everything = machine.run(
        "journalctl", "--quiet", "--no-pager", "--all", "--output=export"
    ).stdout
    for text in ("Watchdog timeout", "status=9/KILL", "ready seconds=", "device_found"):
        assert text in everything
    for card in CARDS:
        assert card.pan.reveal() not in everything
    assert "=4912" not in everything  # nor a track
    assert MASTER.lower() not in everything.lower()


def test_it_stops_cleanly_with_the_machine(machine: BootedMachine) -> None:
    """The last of all."""
    assert machine.power_off() == 0
    journal = machine.journal_on_disk()
    assert "ended exit_code=0" in journal
    assert "Deactivated successfully" in journal
    console = machine.console.decode("utf-8", "replace")
    assert "Stopped" in console
    assert "FAILED" not in console
