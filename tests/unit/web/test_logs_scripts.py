"""The log page's scripts decide in pure functions; their tests are in web/tests and run by node's own runner."""

import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[3] / "web"
ESBUILD = WEB / "node_modules" / ".bin" / "esbuild"


@pytest.mark.timeout(300)
def test_what_the_log_page_decides_without_a_browser(tmp_path):
    node = shutil.which("node")
    if node is None or not ESBUILD.exists():
        pytest.skip("no Node on PATH, or `npm ci` was not run in web/")
    bundle = tmp_path / "logs.test.mjs"
    command = [ESBUILD, "tests/logs.test.ts", "--bundle", "--platform=node", "--format=esm", f"--outfile={bundle}"]
    subprocess.run(command, cwd=WEB, check=True, capture_output=True, timeout=110)
    done = subprocess.run([node, "--test", bundle], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "# pass 0" not in done.stdout
