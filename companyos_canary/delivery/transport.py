"""One parcel over the network: a request over httpx, an email over smtplib."""

import contextlib
import re
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, getaddresses, parseaddr

from companyos_canary import __version__
from companyos_canary.delivery.message import Mail, Parcel, Post
from companyos_canary.errors import CanaryError, Unreachable, UsageError, printable
from companyos_canary.model.http import Response
from companyos_canary.network.failure import Stage, no_answer

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_LOCAL = ("localhost", "127.0.0.1", "::1")
_SAID = 65536  # bytes of an answer that are read
_NEWLINE = "a value made with `echo` ends with a newline: use `printf %s`"


def transmit(parcel: Parcel, timeout: float) -> Response:
    """What the service answered; for an email the last reply of the server. Raises Unreachable (`sent`: it may have
    arrived), and CanaryError for what cannot be sent at all. No error quotes the request."""
    return _mailed(parcel, timeout) if isinstance(parcel, Mail) else _posted(parcel, timeout)


def _posted(post: Post, timeout: float) -> Response:
    import httpx  # noqa: PLC0415 - 100 ms, only for those who send

    for name, value in post.headers.items():
        if not (_HEADER.fullmatch(name) and value.isascii() and value.isprintable()):
            raise CanaryError(f"header `{printable(name)}` has a character that no header can have", hint=_NEWLINE)
    agent = {"User-Agent": f"canary/{__version__}"}
    try:
        with (
            httpx.Client(verify=post.verify, headers=agent, timeout=timeout, follow_redirects=True) as client,
            client.stream(post.method, post.url, headers=dict(post.headers), content=post.body) as answer,
        ):
            if answer.request.method != post.method:
                raise CanaryError(
                    f"{post.place} sent the request on with {answer.request.method}, without the message",
                    hint="name the address that it is sent on to",
                )
            said = b""
            for part in answer.iter_bytes():
                said += part
                if len(said) >= _SAID:
                    break
            return Response(answer.status_code, dict(answer.headers), said)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict, OSError, UnicodeError) as error:
        before = httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError | httpx.UnsupportedProtocol
        raise _lost(_no_answer(error), sent=not isinstance(error, before | httpx.InvalidURL)) from None


def _no_answer(error: Exception) -> str:
    """As `no_answer`. Nothing is quoted that may hold a part of the request."""
    import httpx  # noqa: PLC0415 - as above

    root: BaseException = error
    while (below := root.__cause__ or root.__context__) is not None:
        root = below
    stages: tuple[tuple[type[Exception], Stage], ...] = (
        (httpx.ConnectTimeout, "connect"),
        (httpx.TimeoutException, "answer"),
        (httpx.ProxyError, "proxy"),
        (httpx.UnsupportedProtocol, "address"),
        (httpx.InvalidURL, "address"),
        (httpx.NetworkError, "connect"),
    )
    stage: Stage = next((stage for kind, stage in stages if isinstance(error, kind)), "answer")
    if isinstance(error, httpx.TimeoutException):
        return no_answer(stage, TimeoutError())
    return no_answer(stage, root if isinstance(root, OSError) and root.strerror else None)


def _mailed(mail: Mail, timeout: float) -> Response:
    if not mail.host or not mail.port:
        raise UsageError("a service of type email needs `host` and `port`", hint="add them in the ConfigMap")
    context = ssl.create_default_context()
    if not mail.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    sent = False
    try:
        message = _message(mail)
        sender, recipients = parseaddr(mail.sender)[1], [a for _, a in getaddresses(mail.recipients)]
        server = _connected(mail, context, timeout)
        try:
            for code, said in (server.mail(sender), *(server.rcpt(r) for r in recipients)):
                if code not in (250, 251):
                    return Response(code, {}, said)
            sent = True
            code, said = server.data(message)
            return Response(code, {}, said)
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()
    except smtplib.SMTPResponseException as error:
        words = error.smtp_error
        return Response(error.smtp_code, {}, words if isinstance(words, bytes) else words.encode())
    except (OSError, ssl.SSLError, smtplib.SMTPException, UnicodeError, ValueError) as error:
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            raise CanaryError("the email has an address or a header that SMTP cannot carry") from None
        late = isinstance(error, TimeoutError)
        known = late or (isinstance(error, OSError) and error.strerror)
        raise _lost(no_answer("answer" if sent or late else "connect", error if known else None), sent=sent) from None


def _connected(mail: Mail, context: ssl.SSLContext, timeout: float) -> smtplib.SMTP:
    """As gomail connects: TLS on port 465 for a name with a password, STARTTLS where it is offered; a password goes
    in clear text to this machine only."""
    if mail.port == 465 and mail.username:
        server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=timeout, context=context)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=timeout)
    try:
        server.ehlo_or_helo_if_needed()
        encrypted = isinstance(server, smtplib.SMTP_SSL)
        if not encrypted and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
            encrypted = True
        if mail.username and server.has_extn("auth"):
            ways = str(server.esmtp_features.get("auth", "")).upper().split()
            if not encrypted and mail.host not in _LOCAL and "PLAIN" in ways and "CRAM-MD5" not in ways:
                raise CanaryError(
                    f"{mail.host} offers no encryption, and the password would be read on the way",
                    hint="use a port with TLS, or a service without `username` and `password`",
                )
            server.login(mail.username, mail.password)
    except BaseException:
        server.close()
        raise
    return server


def _message(mail: Mail) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = mail.sender, ", ".join(mail.recipients)
    message["Subject"], message["Date"] = " ".join(mail.subject.split()), formatdate()
    message.set_content(mail.body, subtype="html" if mail.html else "plain", cte="quoted-printable")
    return message.as_bytes()


def _lost(why: str, *, sent: bool) -> Unreachable:
    error = Unreachable(why)
    error.sent = sent
    return error
