"""The page that is made of the declarations."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_fleet_reference_says_what_the_declarations_say() -> None:
    command = [sys.executable, str(ROOT / "script" / "fleet_reference.py"), "--check"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert ended.returncode == 0, ended.stderr
