import subprocess
import sys

import pytest

PURE = [
    *[
        "columns",
        "escpos",
        "input_keys",
        "keys",
        "magnetic_stripe",
        "picture",
        "printer_status",
        "slip",
        "track",
    ],
    *["simulated", "simulated.receipt_printer", "simulated.vt100"],
]


@pytest.mark.parametrize("module", ["", *(f".{name}" for name in PURE)])
def test_the_pure_modules_bring_neither_a_loop_nor_serial_ports_with_them(module: str) -> None:
    program = f"import sys, devices{module}; print({{'asyncio', 'serial', 'threading'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"set()"
