"""An SMTP server on this computer that speaks the real protocol, and misbehaves where it is told to."""

from __future__ import annotations

import email
import email.policy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread


@dataclass
class MailServer:
    """`answers` replaces the reply to a command; an empty one closes the connection, `hang` gives none for 3 s.

    The command `.` is the end of a message, and `220` the greeting. What was taken is in `taken`, with its envelope.
    """

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)


class _Handler(StreamRequestHandler):
    state: MailServer

    def handle(self) -> None:
        sender, recipients = "", []
        going = self.answered("220", "220 ready")
        while going and (line := self.rfile.readline().decode().strip()):
            self.state.commands.append(line)
            command, address = line.split()[0].upper(), line.partition("<")[2].partition(">")[0]
            if command == "MAIL":
                sender = address
            if command == "RCPT" and command not in self.state.answers:
                recipients.append(address)
            usual = {"DATA": "354 go on", "QUIT": "221 bye", "AUTH": "235 welcome"}.get(command, "250 ok")
            going = self.answered(command, usual)
            if going and command == "DATA" and command not in self.state.answers:
                going = self.message(sender, recipients)

    def message(self, sender: str, recipients: list[str]) -> bool:
        lines = iter(self.rfile.readline, b".\r\n")
        data = b"".join(line.removeprefix(b".") for line in lines)  # a leading point is doubled on the way
        if not self.state.answers.get(".", "2").startswith(("4", "5")):
            parsed = email.message_from_bytes(data, policy=email.policy.default)
            self.state.taken.append((sender, recipients, parsed))
        return self.answered(".", "250 taken")

    def answered(self, command: str, usual: str) -> bool:
        answer = self.state.answers.get(command, usual)
        if answer == "hang":
            time.sleep(3)
            return False
        if answer:
            self.wfile.write(f"{answer}\r\n".encode())
        return bool(answer)


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A running server."""
    state = MailServer()
    with ThreadingTCPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state})) as server:
        server.daemon_threads, server.block_on_close = True, False
        state.port = server.server_address[1]
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        server.shutdown()
