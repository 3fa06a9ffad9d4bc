"""How long a certificate is still valid, whether it is trusted, and whether it was made for its host."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from nodeward.core.checks import Certificate
from nodeward.nodeserver.checks.base import CannotTell, Context, why
from nodeward.nodeserver.checks.tcp import connect
from nodeward.nodeserver.checks.trust import trusting
from nodeward.nodeserver.output import CRITICAL, Metric, Outcome, said


def run(args: Certificate, context: Context) -> Outcome:
    """Judge the days left; a server's certificate must be trusted too."""
    host = context.host(args.host)
    where = args.file or f"{host} port {args.port}"
    try:
        found = (
            x509.load_pem_x509_certificates(Path(args.file).read_bytes())[0]
            if args.file
            else served(args, host, context)
        )
    except OSError as error:
        return said("CERTIFICATE", [], f"{where}: {why(error)}", code=CRITICAL)
    except ValueError as error:
        raise CannotTell(f"{where}: that is not a certificate ({error})") from None
    days = (found.not_valid_after_utc - datetime.now(UTC)).total_seconds() / 86400
    metric = Metric("days", round(days, 2), "", args.warning, args.critical)
    until = f"valid until {found.not_valid_after_utc:%Y-%m-%d %H:%M} UTC, {days:.0f} days"
    subject = found.subject.rfc4514_string() or "no subject"
    distrust = "" if args.file or not args.verify or days < 0 else distrusted(args, host, context)
    if distrust:
        return said("CERTIFICATE", [metric], f"{where}: {distrust} ({subject}, {until})", code=CRITICAL)
    if days < 0:
        return said("CERTIFICATE", [metric], f"{where}: it expired {-days:.0f} days ago ({subject})", code=CRITICAL)
    return said("CERTIFICATE", [metric], f"{where}: {subject}, {until}")


def served(args: Certificate, host: str, context: Context) -> x509.Certificate:
    """Return the certificate that a server shows, trusted or not. Raise OSError if there is none."""
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    with (
        connect(host, args.port, False, context) as plain,
        anybody.wrap_socket(plain, server_hostname=args.server_name or host) as link,
    ):
        shown = link.getpeercert(binary_form=True)
    if shown is None:
        raise ValueError("the server shows none")
    return x509.load_der_x509_certificate(shown)


def distrusted(args: Certificate, host: str, context: Context) -> str:
    """Return why the certificate is not to be trusted; nothing if it is."""
    trust = trusting(args.ca_file)
    try:
        with (
            connect(host, args.port, False, context) as plain,
            trust.wrap_socket(plain, server_hostname=args.server_name or host),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
