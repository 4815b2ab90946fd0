# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of the control socket share: an xengtd on the simulator, a connection to it."""

import json
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from tap import Tap  # noqa: E402  pylint: disable=wrong-import-position

PATIENCE = 20      # seconds; limits only end what hangs


class Impostor:
    """Whoever listens on a socket, and says to each client what it is told to, or nothing. A list is
    said one by one, the last one for ever."""

    def __init__(self, path, reply):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen()
        self.reply = reply
        self.clients = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        """Keeps the clients that it does not answer."""
        while True:
            client, _ = self.socket.accept()
            client.recv(4096)
            if self.reply is None:
                self.clients.append(client)
            else:
                replies = self.reply if isinstance(self.reply, list) else [self.reply]
                client.sendall(replies[0].encode())
                self.reply = replies[1:] or replies
                client.close()


class Daemon:
    """An xengtd on the simulator, for as long as the block lasts."""

    def __init__(self, build: Path, *domains):
        # pylint: disable=consider-using-with
        self.folder = tempfile.TemporaryDirectory(prefix="xengt-")
        self.path = f"{self.folder.name}/control"
        options = [word for name in domains for word in ("--sim-domain", f"{name}:256")]
        self.process = subprocess.Popen(
            [build / "daemon/xengtd", "--backend", "sim", "--state-dir", self.folder.name,
             "--socket", self.path, *options], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if line.rstrip().endswith("ready"):
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.folder.cleanup()


class Connection:
    """One client: lines out, lines in."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self.lines = self.socket.makefile()

    def ask(self, line):
        """The answer to a line."""
        self.socket.sendall(line.encode() + b"\n")
        return self.next()

    def next(self):
        """The next line, parsed."""
        return json.loads(self.lines.readline())

    def close(self):
        """Hangs up."""
        self.lines.close()
        self.socket.close()
