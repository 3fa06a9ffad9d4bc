"""Does a URL answer as it should?"""

import ssl
import time
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3

from nodeward.core.checks import Http
from nodeward.core.words import counted
from nodeward.nodeserver.checks.base import CannotTell, Context, why
from nodeward.nodeserver.checks.trust import trusting
from nodeward.nodeserver.output import CRITICAL, Metric, Outcome, said, worst

# whoever says `verify: false` knows; a line in the log for every run would tell nobody anything
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

MOST_BYTES = 4 * 1024 * 1024
MOST_REDIRECTS = 5
_GOES_ON = (301, 302, 303, 307, 308)


def run(args: Http, context: Context) -> Outcome:
    """Judge the status, the body, and the time until the last byte."""
    url = address(args.url, context)
    began = time.monotonic()
    try:
        status, reason, body, url = _fetch(args, url, context)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        return said("HTTP", [], f"{url}: {_reason(error)}", code=CRITICAL)
    took = time.monotonic() - began
    metrics = [
        Metric("time", took, "s", args.warning, args.critical, 0),
        Metric("size", len(body), "B", minimum=0),
    ]
    fault = _fault(args, status, body)
    text = f"{url}: {status} {reason}, {counted(len(body), 'byte')} in {took * 1000:.0f} ms"
    code = CRITICAL if fault else worst(metric.code for metric in metrics)
    return said("HTTP", metrics, f"{fault} - {text}" if fault else text, code=code)


def address(url: str, context: Context) -> str:
    """Return the whole URL: a path alone is asked of the target."""
    if not url.startswith("/"):
        return url
    host = context.host(None)
    return f"http://{f'[{host}]' if ':' in host else host}{url}"


def _fetch(args: Http, url: str, context: Context) -> tuple[int, str, bytes, str]:
    with urllib3.PoolManager(**_trust(args)) as pool:
        for _ in range(MOST_REDIRECTS + 1):
            answer = pool.request(
                args.method,
                url,
                body=args.body.encode() if args.body is not None else None,
                headers={"User-Agent": "nodeward", **args.headers},
                timeout=urllib3.Timeout(total=context.left()),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            where = answer.headers.get("Location")
            if not (args.follow and where and answer.status in _GOES_ON):
                return answer.status, answer.reason or "", _body(answer, context), url
            answer.close()
            url = _next(url, where)
    raise CannotTell(f"{url}: more than {MOST_REDIRECTS} redirects")


def _next(url: str, where: str) -> str:
    following = urljoin(url, where)
    if urlsplit(following).scheme not in ("http", "https"):
        raise CannotTell(f"{url} redirects to {following}, which is not http")
    return following


def _trust(args: Http) -> dict[str, Any]:
    if not args.verify:
        return {"cert_reqs": ssl.CERT_NONE, "assert_hostname": False}
    name = args.headers.get("Host") or args.headers.get("host")
    named = {"server_hostname": name.partition(":")[0]} if name and urlsplit(args.url).scheme == "https" else {}
    return {"ssl_context": trusting(args.ca_file), **named}


def _body(answer: urllib3.BaseHTTPResponse, context: Context) -> bytes:
    body = b""
    while len(body) < MOST_BYTES and (piece := answer.read1(65536)):
        body += piece
        context.left()  # a server that drips byte by byte is not let to go on for ever
    answer.close()
    return body


def _fault(args: Http, status: int, body: bytes) -> str:
    if args.status.alerts(status):
        return f"status {status} is not in {args.status}"
    if args.expect is not None and args.expect.encode() not in body:
        return f"the body does not hold '{args.expect}'"
    return ""


def _reason(error: Exception) -> str:
    timed_out = TimeoutError | urllib3.exceptions.TimeoutError
    if isinstance(error, timed_out) and not isinstance(error, urllib3.exceptions.NewConnectionError):
        return "no answer in time"
    cause = getattr(error, "reason", None) or error.__cause__ or error
    return why(cause).rsplit("Failed to establish a new connection: ", 1)[-1]
