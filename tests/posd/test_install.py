"""`posd install`: every file in its place, and what was edited on the machine is left alone."""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath

import pytest

from posd.cli import main
from posd.install import COMMANDS, PARTS, InstallError, _next_steps, install, sources
from posd.key_store import MASTER, KeyStore

PROGRAM = PurePosixPath("/opt/posd/bin/posd")
UNIT = "usr/local/lib/systemd/system/posd.service"


def test_every_file_of_the_directory_but_its_readme_is_installed(tmp_path: Path) -> None:
    install(tmp_path, PROGRAM)
    shipped = {path for path in sources().rglob("*") if path.is_file() and path.suffix != ".md"}
    assert shipped == {sources() / part.source for part in PARTS}
    assert {path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()} == {
        tmp_path / part.target for part in PARTS
    }


def test_the_commands_are_found_by_every_shell(tmp_path: Path) -> None:
    done = install(tmp_path, PROGRAM)
    for name in COMMANDS:
        link = tmp_path / "usr/local/bin" / name
        assert link.readlink() == Path(PROGRAM.with_name(name))
        assert f"{link}: leads to {PROGRAM.with_name(name)}" in done


def test_encrypted_keys_that_the_unit_was_not_told_of_are_told_again(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    key = tmp_path / "etc/posd/master-key.cred"
    key.parent.mkdir(parents=True)
    key.write_text("encrypted elsewhere")
    assert not store.tells_unit(MASTER)
    install(tmp_path, PROGRAM)
    assert store.tells_unit(MASTER)
    (drop_in,) = (tmp_path / "etc/systemd/system/posd.service.d").iterdir()
    assert drop_in.read_text().splitlines()[1:] == [
        "[Service]",
        "LoadCredentialEncrypted=master-key:/etc/posd/master-key.cred",
    ]
    key.unlink()
    install(tmp_path, PROGRAM)
    assert not drop_in.exists()


def test_links_follow_another_installation_and_never_replace_a_program(tmp_path: Path) -> None:
    install(tmp_path, PROGRAM)
    links = tmp_path / "usr/local/bin"
    (links / "posctl").unlink()
    (links / "posctl").write_text("somebody's own")
    done = install(tmp_path, PurePosixPath("/srv/new/bin/posd"))
    assert (links / "posd").readlink() == Path("/srv/new/bin/posd")
    assert (links / "posctl").read_text() == "somebody's own"
    assert any("posctl: kept; it is no link" in line for line in done)


@pytest.mark.parametrize("directory", ["/usr/bin", "/usr/local/bin"])
def test_what_every_shell_finds_needs_no_links(tmp_path: Path, directory: str) -> None:
    install(tmp_path, PurePosixPath(directory, "posd"))
    assert not (tmp_path / "usr/local/bin").exists()


def test_the_unit_starts_the_program_that_was_named_and_is_else_the_same(tmp_path: Path) -> None:
    install(tmp_path, PROGRAM)
    unit = (tmp_path / UNIT).read_text("utf-8")
    assert "\nExecStart=/opt/posd/bin/posd run --config /etc/posd/posd.toml\n" in unit
    assert unit.replace("/opt/posd/bin/posd", "/usr/bin/posd") == (
        sources() / "posd.service"
    ).read_text("utf-8")


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    install(tmp_path, PROGRAM)
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert all(line.endswith(": as it should be") for line in install(tmp_path, PROGRAM))
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_what_was_edited_is_kept_and_the_new_version_lies_beside_it(tmp_path: Path) -> None:
    install(tmp_path, PROGRAM)
    rules = tmp_path / "etc/udev/rules.d/69-posd-ports.rules"
    ours = 'SUBSYSTEM=="tty", KERNEL=="ttyS1", ENV{POSD_ROLE}="printer"\n'
    rules.write_text(ours)
    (tmp_path / UNIT).write_text("of an earlier version")
    done = install(tmp_path, PROGRAM)
    assert rules.read_text() == ours
    assert rules.with_name("69-posd-ports.rules.new").exists()
    assert f"{rules}: kept; this version's is 69-posd-ports.rules.new" in done
    assert "ExecStart" in (tmp_path / UNIT).read_text("utf-8")


def test_everybody_may_read_what_is_installed(tmp_path: Path) -> None:
    install(tmp_path, PROGRAM)
    for part in PARTS:
        assert (tmp_path / part.target).stat().st_mode & 0o777 == 0o644


def test_the_next_steps_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--root", str(tmp_path), "--program", str(PROGRAM)]) == 0
    said = capsys.readouterr().out
    for step in ("systemd-sysusers", "69-posd-ports.rules", "posd init", "enable posd"):
        assert step in said


def test_the_next_steps_lead_to_the_system_below_the_root(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "another system"
    assert main(["install", "--root", str(root), "--program", str(PROGRAM)]) == 0
    said = capsys.readouterr().out.partition("Next, as root")[2].splitlines()
    this = f"{sys.prefix}/bin/posd"
    for step in ("init", "keys load"):
        assert f"  {this} {step} --root '{root}'" in said
    assert f"  systemctl --root='{root}' enable posd" in said
    assert f"  edit '{root}'/etc/udev/rules.d/69-posd-ports.rules" in said


def test_the_next_steps_of_this_system_need_no_root() -> None:
    said = _next_steps(Path("/"), PROGRAM)
    assert f"  {PROGRAM} init  " in said
    assert "--root" not in said


def test_where_nothing_can_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "usr").write_text("a file where a directory is needed")
    assert main(["install", "--root", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(str(tmp_path / UNIT))


def test_a_relative_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="absolute path"):
        install(tmp_path, PurePosixPath("bin/posd"))
    assert not list(tmp_path.iterdir())
