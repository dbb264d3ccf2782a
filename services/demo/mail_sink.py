"""A local mail server that delivers to nobody: it keeps, counts, and tells when each mail arrived."""

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default as modern
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from services.shop.timeline import Mail

PROBLEM_HEADER = "X-Care-Problem"
STEP_HEADER = "X-Care-Step"

_TAKEN = "250 OK"
_START_SECONDS = 10

BeforeAnswer = Callable[[Mail], None]


class MailSink:
    """An SMTP server in a thread of its own, on a free port unless one is set."""

    def __init__(
        self, folder: Path, *, host: str = "127.0.0.1", port: int = 0, now: datetime | None = None
    ) -> None:
        self.before_answer: BeforeAnswer | None = None
        """Called between the end of DATA and the answer; while it hangs, nobody gets an answer."""
        self._folder = folder
        self._host, self._port = host, port
        self._now = now or datetime.fromtimestamp(0, UTC)
        self._mails: list[Mail] = []
        self._collected = 0
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="mail-sink", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, once started."""
        return self._host, self._port

    @property
    def mails(self) -> list[Mail]:
        """Every mail taken so far, in the order of arrival."""
        with self._lock:
            return list(self._mails)

    def start(self) -> "MailSink":
        """Begin to listen; return itself.

        Raises:
            OSError: the port is taken.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        if not self._listening.wait(_START_SECONDS):
            raise OSError(f"the mail sink cannot listen on {self._host}:{self._port}")
        return self

    def close(self) -> None:
        """Stop listening."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=_START_SECONDS)

    def set_time(self, now: datetime) -> None:
        """Mails that arrive from now on arrive at this simulated time."""
        self._now = now

    def collect(self) -> list[Mail]:
        """Return what arrived since the last call, in an order that no race between senders changes."""
        with self._lock:
            fresh = self._mails[self._collected :]
            self._collected = len(self._mails)
        return sorted(fresh, key=lambda m: (m.arrived_at, m.problem_id, m.step))

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep the mail, then answer."""
        raw = envelope.original_content or b""
        message = message_from_bytes(raw, policy=modern)
        mail = Mail(
            problem_id=str(message.get(PROBLEM_HEADER, "")),
            step=str(message.get(STEP_HEADER, "")),
            recipient=", ".join(envelope.rcpt_tos),
            arrived_at=self._now,
        )
        if self.before_answer is not None:
            self.before_answer(mail)
        # Kept even if the sender is gone by now: whoever sends it again made it twice.
        self._keep(mail, raw)
        return _TAKEN

    def _keep(self, mail: Mail, raw: bytes) -> None:
        with self._lock:
            self._mails.append(mail)
            number = len(self._mails)
        (self._folder / f"{number:05d}.eml").write_bytes(raw)
        line = {
            "problem": mail.problem_id,
            "step": mail.step,
            "recipient": mail.recipient,
            "arrived_at": mail.arrived_at.isoformat(),
            "file": f"{number:05d}.eml",
        }
        with (self._folder / "mails.jsonl").open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(line) + "\n")

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(
                self._loop.create_server(self._session, self._host, self._port)
            )
            self._port = int(server.sockets[0].getsockname()[1])
            self._listening.set()
            self._loop.run_forever()
            server.close()
            self._hang_up()
        finally:
            self._loop.close()

    def _hang_up(self) -> None:
        """End the conversations of senders that keep their line open."""
        talks = asyncio.all_tasks(self._loop)
        for talk in talks:
            talk.cancel()
        self._loop.run_until_complete(asyncio.gather(*talks, return_exceptions=True))

    def _session(self) -> SMTP:
        return SMTP(self, enable_SMTPUTF8=True, loop=self._loop)
