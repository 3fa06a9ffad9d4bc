"""E-mail through one SMTP server."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate

from nodeward.core.errors import ConfigError
from nodeward.core.files import read_secret
from nodeward.monitor.notifiers.base import Message, NotifyFailed
from nodeward.monitor.settings import MonitorSettings

_TIMEOUT = 20.0


class Email:
    """Sends a plain text e-mail; the settings say through which server."""

    def __init__(self, settings: MonitorSettings) -> None:
        self._settings = settings

    def label(self, address: str) -> str:
        """An address is no secret."""
        return address

    def send(self, address: str, message: Message) -> None:
        """Hand the message to the SMTP server. A 5xx answer is final, everything else is worth another try."""
        if not self._settings.smtp_host:
            raise NotifyFailed("No mail server is set (NODEWARD_MONITOR_SMTP_HOST).", retry=False)
        where = f"{self._settings.smtp_host}:{self._settings.smtp_port}"
        try:
            mail = self._mail(address, message)
            with self._connected() as server:
                server.send_message(mail)
        except smtplib.SMTPAuthenticationError as error:
            raise NotifyFailed(f"{where} refused the login: {_answer(error)}", retry=True) from None
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise NotifyFailed(f"{where} refused the address: {code} {_text(text)}", retry=code < 500) from None
        except smtplib.SMTPResponseException as error:
            raise NotifyFailed(f"{where} refused the mail: {_answer(error)}", retry=error.smtp_code < 500) from None
        except (ssl.SSLError, smtplib.SMTPException, OSError) as error:
            raise NotifyFailed(f"{where} could not take the mail: {error}", retry=True) from None
        except ConfigError as error:
            raise NotifyFailed(str(error), retry=True) from None
        except ValueError as error:
            raise NotifyFailed(f"{address!r} is no address to send to: {error}", retry=False) from None

    def _connected(self) -> smtplib.SMTP:
        settings, context = self._settings, ssl.create_default_context()
        host, port = settings.smtp_host, settings.smtp_port
        if settings.smtp_tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=_TIMEOUT)
        try:
            if settings.smtp_tls == "starttls":
                server.starttls(context=context)
            if settings.smtp_user and settings.smtp_password_file:
                server.login(settings.smtp_user, read_secret(settings.smtp_password_file, "The mail server's password"))
        except BaseException:
            server.close()
            raise
        return server

    def _mail(self, address: str, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"] = self._settings.smtp_from, address
        mail["Subject"] = " ".join(message.subject.split())
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message.id}@nodeward.{self._settings.node}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        mail.set_content(message.body)
        return mail


def _answer(error: smtplib.SMTPResponseException) -> str:
    return f"{error.smtp_code} {_text(error.smtp_error)}"


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
