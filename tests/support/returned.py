"""Mails that come back, as mail servers write them."""

STEP = "6cf05094-4f85-5fa2-8173-0b2b1c8a709c"


def bounce(
    message_id: str = f"<{STEP}@example.com>",
    recipient: str = "ada@example.org",
    status: str = "5.1.1",
    action: str = "failed",
    sent_back: str = "message/rfc822",
    report_type: str = "delivery-status",
    original_recipient: str | None = None,
) -> bytes:
    """Return a delivery status notification about one recipient."""
    original = f"Original-Recipient: rfc822;{original_recipient}\n" if original_recipient else ""
    status_part = (
        "Content-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; mx.example.net\n\n"
        f"{original}Final-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\n"
    )
    return _report(report_type, status_part, sent_back, message_id)


def complaint(message_id: str = f"<{STEP}@example.com>", feedback: str = "abuse") -> bytes:
    """Return a complaint about spam, in the abuse reporting format."""
    feedback_part = (
        "Content-Type: message/feedback-report\n\n"
        f"Feedback-Type: {feedback}\nUser-Agent: Feedback/1.0\nVersion: 1\n"
    )
    return _report("feedback-report", feedback_part, "message/rfc822", message_id)


def _report(report_type: str, machine_part: str, sent_back: str, message_id: str) -> bytes:
    parts = (
        "Content-Type: text/plain\n\nYour message came back.\n",
        machine_part,
        f"Content-Type: {sent_back}\n\nFrom: care@example.com\nMessage-ID: {message_id}\n\nHello\n",
    )
    body = "".join(f"--b1\n{part}\n" for part in parts)
    head = (
        "From: MAILER-DAEMON@mx.example.net\nSubject: Undelivered\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={report_type}; boundary="b1"\n\n'
    )
    return f"{head}{body}--b1--\n".encode()
