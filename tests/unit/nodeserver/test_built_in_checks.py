"""The built-in checks against real files, sockets, processes and servers."""

import contextlib
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import dns.message
import dns.rrset
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nodeward.core import checks
from nodeward.nodeserver.checks import clock, icmp, kernel, limits
from nodeward.nodeserver.checks.base import CannotTell, Context, Standing
from nodeward.nodeserver.checks.table import BUILT_IN
from nodeward.nodeserver.checks.uptime import spoken, uptime
from support.until import until


def _run(plugin, timeout=60.0, standing=None, **args):
    context = Context("web-1", "127.0.0.1", timeout, Path("/nonexistent"), lambda: standing or Standing(3, 5, 100.0))
    return BUILT_IN[plugin].run(checks.arguments(plugin, args), context)


@pytest.fixture
def port():
    """A port where a server answers every connection with a greeting and an echo."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):  # whoever asked may be gone
                    connection.sendall(b"220 hello\r\n" + connection.recv(100)[::-1])

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def closed():
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


def test_every_declared_plugin_has_its_check_and_no_other():
    assert BUILT_IN.keys() == checks.ARGUMENTS.keys()


@pytest.mark.parametrize("plugin", ["load", "memory", "swap", "disk", "processes", "uptime"])
def test_a_check_of_this_machine_has_a_line_and_perfdata(plugin):
    found = _run(plugin)
    assert found.output.startswith(f"{plugin.upper()} ")
    assert "=" in found.perfdata
    assert found.code in range(4)


def test_thresholds_decide(tmp_path):
    assert _run("memory", warning="@0:100", critical=None).code == 1
    assert _run("disk", path="/", warning=None, critical="~:0").code == 2
    assert _run("uptime", critical="1000000d:").code == 2
    assert _run("processes", warning=0).code == 1
    assert _run("load", warning=None, critical=None).code == 0


def test_alive_tells_what_is_wrong_and_stays_up():
    assert _run("alive").output == "ALIVE OK - node server at work for 1 min 40 s, revision 3, 5 checks"
    found = _run("alive", standing=Standing(None, 0, 1.0, ["Bad bundle.\nAt 'x': y"]))
    assert (found.code, found.output.startswith("ALIVE WARNING - Bad bundle. (")) == (1, True)
    assert "At 'x': y" in found.long_output


def test_a_disk_that_is_not_there_is_critical_and_the_others_are_told():
    found = _run("disk", path=["/", "/no/such/place"])
    assert found.code == 2
    assert "/no/such/place: No such file or directory" in found.output
    assert "/: " in found.long_output
    with pytest.raises(CannotTell, match="every one is excluded"):
        _run("disk", path="/", exclude=["*"])


def test_a_containers_limit_is_what_memory_is_measured_by(tmp_path):
    rows = {"MemTotal": 1000000, "MemFree": 1, "MemAvailable": 400000, "SwapTotal": 0, "SwapFree": 0}
    (tmp_path / "meminfo").write_text("".join(f"{name}: {count} kB\n" for name, count in rows.items()))
    assert limits.memory(str(tmp_path), str(tmp_path)).percent == 60
    for name, text in {"max": "512000000", "current": "300000000", "stat": "anon 5\ninactive_file 44000000"}.items():
        (tmp_path / f"memory.{name}").write_text(f"{text}\n")
    kernel.exists.cache_clear()
    found = limits.memory(str(tmp_path), str(tmp_path))
    assert (found.percent, found.limited) == (50, True)
    (tmp_path / "memory.max").write_text("max\n")
    assert not limits.memory(str(tmp_path), str(tmp_path)).limited


def test_checks_of_the_same_instant_share_a_reading_and_later_ones_do_not(monkeypatch):
    now, asked = [100.0], []
    monkeypatch.setattr(kernel.time, "monotonic", lambda: now[0])
    reading = kernel.momentary(lambda place: asked.append(place) or len(asked))
    assert [reading("/a"), reading("/a"), reading("/b")] == [1, 1, 2]
    now[0] += kernel.SAME_INSTANT + 0.001
    assert [reading("/a"), reading("/b"), reading("/a")] == [3, 4, 3]


def test_uptime_is_that_of_process_one_and_of_the_kernel_where_it_is_hidden(tmp_path):
    (tmp_path / "uptime").write_text("5000.00 1.00\n")
    assert uptime(str(tmp_path)) == 5000
    (tmp_path / "1").mkdir()
    ticks = os.sysconf("SC_CLK_TCK")
    (tmp_path / "1" / "stat").write_text("1 (a ) b) S 0 " + " ".join(["0"] * 17) + f" {4000 * ticks} 0\n")
    assert uptime(str(tmp_path)) == 1000
    assert [spoken(one) for one in (0, 59, 3600, 90061)] == ["0 s", "59 s", "1 h 0 min", "1 d 1 h"]


def test_a_process_is_found_by_name_command_and_user():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "nodeward-mark"])
    try:
        until(lambda: "nodeward-mark" in psutil.Process(child.pid).cmdline())  # empty while the kernel starts it
        found = _run("process", command="*nodeward-mark", critical="1:1")
        assert (found.code, f"pid {child.pid}" in found.output) == (0, True)
    finally:
        child.kill()
        child.wait()
    assert _run("process", name="no-such-program").code == 2
    assert _run("process", name="no-such-program", critical="0:0").code == 0


def test_the_newest_file_of_a_glob_is_judged(tmp_path):
    for name, age in (("a.log", 7200), ("b.log", 60)):
        (tmp_path / name).write_text("12345")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    found = _run("file_age", path=f"{tmp_path}/*.log", warning="1h", size_critical="10:")
    assert (found.code, "b.log is 1 min" in found.output) == (2, True)
    assert _run("file_age", path=f"{tmp_path}/*.log", warning="30s").code == 1
    assert _run("file_age", path=f"{tmp_path}/none", missing="warning").code == 1
    (tmp_path / "dangling[1]").symlink_to(tmp_path / "nowhere")
    assert _run("file_age", path=f"{tmp_path}/dangling[1]").code == 2


def test_a_port_answers_or_does_not(port, closed):
    assert _run("tcp", port=port).code == 0
    assert _run("tcp", port=port, send="ab\\n", expect="\nba").code == 0
    found = _run("tcp", port=port, send="x", expect="SSH")
    assert (found.code, "did not say 'SSH' but: 220 hello" in found.output) == (2, True)
    found = _run("tcp", port=closed)
    assert (found.code, found.output) == (2, f"TCP CRITICAL - 127.0.0.1 port {closed}: Connection refused")
    assert _run("tcp", host="no.such.host.invalid", port=1).code == 2
    assert _run("tcp", port=port, tls=True).code == 2


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/")
        elif self.path == "/round":
            self.send_response(302)
            self.send_header("Location", "/round")
        elif self.path == "/file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
        else:
            self.send_response(500 if self.path == "/broken" else 200)
        self.end_headers()
        if self.path == "/slow":
            for _ in range(600):
                self.wfile.write(b".")
                self.wfile.flush()
                time.sleep(0.1)
        self.wfile.write(b"all is good" + self.headers.get("X-Given", "").encode())

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def web():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_url_is_judged_by_status_body_and_time(web, closed):
    assert _run("http", url=f"{web}/", expect="all is good").code == 0
    assert _run("http", url=f"{web}/", headers={"X-Given": "42"}, expect="good42").code == 0
    assert "status 500 is not in 200:399" in _run("http", url=f"{web}/broken").output
    assert _run("http", url=f"{web}/broken", status="500:500").code == 0
    assert "does not hold 'bad'" in _run("http", url=f"{web}/", expect="bad").output
    assert _run("http", url=f"{web}/", critical="~:0").code == 2
    assert "302" in _run("http", url=f"{web}/moved").output
    assert "200" in _run("http", url=f"{web}/moved", follow=True).output
    for path, words in (("/round", "more than 5 redirects"), ("/file", "which is not http")):
        with pytest.raises(CannotTell, match=words):
            _run("http", url=web + path, follow=True)
    assert "Connection refused" in _run("http", url=f"http://127.0.0.1:{closed}/").output


def test_a_server_that_drips_is_not_waited_for(web):
    began = time.monotonic()
    found = _run("http", url=f"{web}/slow", timeout=0.6)
    assert (found.code, "no answer in time" in found.output) == (2, True)
    assert time.monotonic() - began < 30  # of the minute that it drips


@pytest.fixture
def made_certificate(tmp_path):
    """Return a function that makes a certificate for localhost, valid for so many days, and gives its file."""

    def make(days):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        until = datetime.now(UTC) + timedelta(days=days, minutes=5)
        made = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(7).not_valid_before(until - timedelta(days=400)).not_valid_after(until)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        path = tmp_path / f"{days}.pem"
        no_password = serialization.NoEncryption()
        path.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
        )
        return str(path)

    return make


def test_a_certificate_file_is_judged_by_the_days_left(made_certificate, tmp_path):
    assert [_run("certificate", file=made_certificate(days)).code for days in (100, 10, 3)] == [0, 1, 2]
    assert "expired 5 days ago" in _run("certificate", file=made_certificate(-5), critical=None, warning=None).output
    assert "No such file" in _run("certificate", file=str(tmp_path / "none")).output
    (tmp_path / "text").write_text("hello")
    with pytest.raises(CannotTell, match="not a certificate"):
        _run("certificate", file=str(tmp_path / "text"))


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_a_servers_certificate_must_be_trusted_and_fit_its_name(made_certificate):
    path = made_certificate(100)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    server.handle_error = lambda *_: None
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        given = {"host": "127.0.0.1", "port": server.server_port}
        assert _run("certificate", **given, server_name="localhost", ca_file=path).code == 0
        found = _run("certificate", **given)
        assert (found.code, "self-signed" in found.output) == (2, True)
        found = _run("certificate", **given, server_name="other", ca_file=path)
        assert (found.code, "ostname mismatch" in found.output) == (2, True)
        assert _run("certificate", **given, verify=False).code == 0
        url = f"https://127.0.0.1:{server.server_port}/"
        assert _run("http", url=url).code == 2
        assert _run("http", url=url, verify=False).code == 0
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def udp():
    """Return a function that starts a UDP server answering with `answer(question)` and gives its port."""
    opened = []

    def start(answer):
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.bind(("127.0.0.1", 0))
        opened.append(link)

        def serve():
            while True:
                try:
                    question, address = link.recvfrom(4096)
                except OSError:
                    return
                if (said := answer(question)) is not None:
                    link.sendto(said, address)

        threading.Thread(target=serve, daemon=True).start()
        return link.getsockname()[1]

    yield start
    for link in opened:
        link.close()


def test_a_name_resolves_to_what_is_expected(udp):
    def answer(question):
        asked = dns.message.from_wire(question)
        reply = dns.message.make_response(asked)
        name = asked.question[0].name
        if str(name) == "none.example.":
            reply.set_rcode(3)
        else:
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "10.0.0.1", "10.0.0.2"))
        return reply.to_wire()

    asked = {"server": "127.0.0.1", "port": udp(answer)}
    found = _run("dns", name="www.example", expect=["10.0.0.2"], **asked)
    assert (found.code, "www.example A is 10.0.0.1, 10.0.0.2" in found.output) == (0, True)
    assert "10.0.0.3 is not in the answer" in _run("dns", name="www.example", expect=["10.0.0.3"], **asked).output
    assert "there is no such name" in _run("dns", name="none.example", **asked).output
    silent = {"server": "127.0.0.1", "port": udp(lambda _: None)}
    assert "no answer in time" in _run("dns", name="www.example", timeout=0.5, **silent).output
    with pytest.raises(CannotTell):
        _run("dns", name="www.example", server="not an address")


def test_the_clock_is_compared_with_a_server(udp, monkeypatch):
    monkeypatch.setattr(
        clock, "time", SimpleNamespace(time=lambda: 1_800_000_000.5)
    )  # no way to and fro takes any time

    def ahead(seconds):
        def answer(question):
            moment = 1_800_000_000.5 + seconds + 2_208_988_800
            stamp = struct.pack("!II", int(moment), int(moment % 1 * 2**32))
            return bytes([0x24, 2]) + bytes(22) + question[40:48] + stamp + stamp

        return answer

    assert _run("clock", server="127.0.0.1", port=udp(ahead(0))).code == 0
    found = _run("clock", server="127.0.0.1", port=udp(ahead(2.0)))
    assert found.code == 1
    assert abs(float(found.perfdata.split("s;")[0].removeprefix("offset=")) - 2) < 0.001
    assert _run("clock", server="127.0.0.1", port=udp(ahead(-60))).code == 2
    assert _run("clock", server="127.0.0.1", port=udp(lambda _: b"junk"), timeout=0.4).code == 2


def test_the_kernel_says_whether_its_clock_is_kept_in_step():
    codes = {word: _run("clock", unsynchronised=word, warning=None, critical=None).code for word in ("ok", "critical")}
    assert codes in ({"ok": 0, "critical": 2}, {"ok": 0, "critical": 0})


def test_echoes_come_back_or_the_reason_is_told():
    try:
        found = _run("ping", count=2, pause=0)
    except CannotTell as error:
        pytest.skip(f"this machine lets nobody ping: {error}")
    assert (found.code, "127.0.0.1: 0 % lost" in found.output) == (0, True)
    assert _run("ping", host="no.such.host.invalid").code == 2


def test_the_program_ping_takes_over_where_sockets_are_not_allowed(tmp_path):
    program = tmp_path / "ping"
    program.write_text("#!/bin/sh\necho '64 bytes from x: icmp_seq=1 ttl=64 time=1.50 ms'\nexit 1\n")
    program.chmod(0o755)
    assert icmp._by_program("127.0.0.1", 2, 0.2, 60.0, lambda _: str(program)) == [0.0015, None]
    program.write_text("#!/bin/sh\necho 'ping: socket: Operation not permitted' >&2\nexit 2\n")
    with pytest.raises(CannotTell, match="ping_group_range"):
        icmp._by_program("127.0.0.1", 2, 0.2, 60.0, lambda _: str(program))
    with pytest.raises(CannotTell, match="no program"):
        icmp._by_program("127.0.0.1", 2, 0.2, 60.0, lambda _: None)


def test_no_supervisor_is_critical_and_says_where_it_was_looked_for():
    found = _run("programs")
    assert found.code == 2
    assert "supervisor.sock" in found.output
