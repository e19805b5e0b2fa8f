"""`posd install`: the files that systemd, udev and a technician look for, from the wheel to their places.

Nothing is started and nobody is created: the last lines say which commands do that.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from posd.key_store import KeyStore, KeyStoreError
from posd.placed_files import place

DONE, FAILED = 0, 1
_UNITS: Final = "usr/local/lib/systemd/system"  # of what no package manager brought
_PROGRAM_IN_UNIT: Final = "/usr/bin/posd"


class Part(NamedTuple):
    """One file: its name in the sources and its directory below the root.

    edited: it belongs to whoever runs this machine once it is there, and is never written again.
    """

    source: str
    directory: str
    edited: bool = False

    @property
    def target(self) -> PurePosixPath:
        return PurePosixPath(self.directory) / PurePosixPath(self.source).name


PARTS: Final = (
    Part("posd.service", _UNITS),
    Part("posd-diag.socket", _UNITS),
    Part("sysusers.d/posd.conf", "usr/local/lib/sysusers.d"),
    Part("tmpfiles.d/posd.conf", "usr/local/lib/tmpfiles.d"),
    Part("udev/70-posd.rules", "etc/udev/rules.d"),
    Part("udev/69-posd-ports.rules", "etc/udev/rules.d", edited=True),
    Part("posd.example.toml", "etc/posd", edited=True),
)

COMMANDS: Final = ("posd", "posctl")
_LINKS: Final = PurePosixPath("usr/local/bin")
_ON_THE_PATH: Final = ("/bin", "/usr/bin", "/usr/local/bin")

NEXT_STEPS: Final = """\
Next, as root:
  systemd-sysusers && systemd-tmpfiles --create    # the user posd, the group posd-tech, directories
  systemctl daemon-reload && udevadm control --reload
  edit /etc/udev/rules.d/69-posd-ports.rules       # which port is the keypad, the display, ...
  udevadm trigger                                  # then /dev/posd/ names them
  systemctl enable posd                            # it starts with the next boot
  {program} init         # configuration, device key, passwords
  {program} keys load    # the acquirer's master key
  systemctl start posd
"""

NEXT_STEPS_BELOW: Final = """\
Next, as root, from here:
  systemd-sysusers --root={root} && systemd-tmpfiles --root={root} --create
  edit {root}/etc/udev/rules.d/69-posd-ports.rules
  systemctl --root={root} enable posd
  {program} init --root {root}
  {program} keys load --root {root}
Nothing else is left to do where that system is booted. Where it runs already, in it:
  systemctl daemon-reload && udevadm control --reload && udevadm trigger
  systemctl start posd
"""


class InstallError(Exception):
    """What could not be put where, in one line."""


def sources() -> Path:
    """Where the files of the `systemd` directory are: in the package, or beside it in a checkout."""
    package = Path(__file__).parent
    for place_of_files in (package / "system_files", package.parent / "systemd"):
        if (place_of_files / "posd.service").is_file():
            return place_of_files
    raise InstallError("the files of the service are not in this installation of posd")


def install(root: Path, program: PurePosixPath) -> list[str]:
    """Put every part and links to the commands below root; what was done, a line each. Raises InstallError.

    program: the `posd` that the unit starts, as it is called once root is `/`. A part that is edited on
    the machine and differs is left, and what this version brings lies beside it as NAME.new.
    """
    if not program.is_absolute():
        raise InstallError(f"expected an absolute path of the program, found {program}")
    found = sources()
    done = []
    for part in PARTS:
        content = (found / part.source).read_bytes()
        if part.source.endswith(".service"):
            content = content.replace(_PROGRAM_IN_UNIT.encode(), str(program).encode())
        path = root / part.target
        try:
            done.append(_put(part, path, content))
        except OSError as error:
            raise _cannot(path, error) from None
    try:
        KeyStore(root).tell_unit()  # of keys that are here already
    except (OSError, KeyStoreError) as error:
        raise InstallError(f"the encrypted keys' drop-in: {error}") from None
    if str(program.parent) not in _ON_THE_PATH:
        done.extend(_link(root / _LINKS / name, program.with_name(name)) for name in COMMANDS)
    return done


def _link(path: Path, target: PurePosixPath) -> str:
    """A name that every shell and sudo finds: each hint of posd and posctl names one of these commands."""
    try:
        if path.is_symlink() and path.readlink() == Path(target):
            return f"{path}: as it should be"
        if path.exists() and not path.is_symlink():
            return f"{path}: kept; it is no link, and {target} is not found by that name"
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    except OSError as error:
        raise _cannot(path, error) from None
    return f"{path}: leads to {target}"


def _cannot(path: Path, error: OSError) -> InstallError:
    return InstallError(f"{path}: {(error.strerror or type(error).__name__).lower()}")


def _put(part: Part, path: Path, content: bytes) -> str:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    there = path.read_bytes() if path.exists() else None
    if there == content:
        return f"{path}: as it should be"
    if there is not None and part.edited:
        place(path.with_name(f"{path.name}.new"), content, 0o644, replace=True)
        return f"{path}: kept; this version's is {path.name}.new"
    place(path, content, 0o644, replace=True)
    return f"{path}: written"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `posd install`."""
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="default: /")
    parser.add_argument(
        "--program",
        type=PurePosixPath,
        metavar="PATH",
        help="the posd that the service starts, as seen below the root (default: this one)",
    )


def run(options: argparse.Namespace) -> int:
    """Put the service's files in place. Exit codes: 0 done, 1 not."""
    program = options.program or _this_program(options.root)
    try:
        done = install(options.root, program)
    except InstallError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    sys.stdout.write("".join(f"{line}\n" for line in done))
    sys.stdout.write(f"\n{_next_steps(options.root, program)}")
    return DONE


def _next_steps(root: Path, program: PurePosixPath) -> str:
    """For the system that runs here, or for another one below root; then it is this program that goes on."""
    if root.absolute() == Path("/"):
        return NEXT_STEPS.format(program=program)
    here = Path(sys.prefix) / "bin" / "posd"
    return NEXT_STEPS_BELOW.format(program=here, root=shlex.quote(str(root.absolute())))


def _this_program(root: Path) -> PurePosixPath:
    program = Path(sys.prefix) / "bin" / "posd"
    root = root.absolute()
    return PurePosixPath("/") / (
        program.relative_to(root) if program.is_relative_to(root) else program
    )
