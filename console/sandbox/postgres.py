"""One PostgreSQL server in one folder: make it, start it, find it again, stop it."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from console.sandbox.binaries import Binaries, SandboxError, find_binaries
from console.sandbox.folders import last_lines, locked, private_folder
from console.sandbox.launch import launcher

_PORT = 5432
_LONGEST_SOCKET_FOLDER = 80
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0


class Cluster:
    """A private server reachable only through a socket folder of mode 0700."""

    def __init__(
        self, folder: Path, binaries: Binaries | None = None, *, durable: bool = True
    ) -> None:
        """Name the folder; nothing is created or started before `start`."""
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self._binaries = binaries
        self._durable = durable

    @property
    def socket_folder(self) -> Path:
        """Where clients connect; beside the data unless that path is too long for a socket."""
        beside = self.folder / "socket"
        if len(os.fsencode(beside)) <= _LONGEST_SOCKET_FOLDER:
            return beside
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"ops-console-{os.geteuid()}-{digest}"

    def url(self, database: str) -> str:
        """The connection URL of one database of this server."""
        host = quote(str(self.socket_folder), safe="/")
        return f"postgresql://postgres@/{quote(database)}?host={host}&port={_PORT}"

    def start(self, *, owned: bool) -> bool:
        """Start the server, or find it running; True when this call started it.

        An owned server stops when this process dies, however it dies; one that is not owned
        stays up. A server found running keeps the way it was started.
        """
        private_folder(self.folder)
        launcher().own(self.folder)
        with locked(self.folder / "lock"):
            if self._found_running():
                return False
            self._prepare()
            self._launch(owned=owned)
        return True

    def stop(self) -> bool:
        """Stop the server, whoever started it, without waiting for its clients; False if down."""
        pid = self.pid()
        if pid is None:
            return False
        os.kill(pid, signal.SIGINT)
        if not self._gone(pid, _STOP_SECONDS):
            raise SandboxError(f"The server (pid {pid}) did not stop; see {self.log}.")
        self._remove_socket_folder()
        return True

    def destroy(self) -> None:
        """Stop the server and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def running(self) -> bool:
        """Whether the server answers a connection."""
        return self.pid() is not None and self._answers() is None

    def pid(self) -> int | None:
        """The process id of this folder's live server, if there is one."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if pid > 0 and self._serves_this_folder(pid) else None

    def _serves_this_folder(self, pid: int) -> bool:
        """Tell our server from a zombie and from a stranger that got its process id."""
        process = Path("/proc") / str(pid)
        if Path("/proc/self").exists():
            try:
                return (process / "cwd").readlink() == self.data.resolve()
            except OSError:
                return False
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return True

    def _found_running(self) -> bool:
        pid = self.pid()
        if pid is None:
            return False
        deadline = time.monotonic() + _START_SECONDS
        while self._serves_this_folder(pid) and time.monotonic() < deadline:
            if self._answers() is None:
                return True
            time.sleep(0.02)
        if self._serves_this_folder(pid):
            raise SandboxError(f"The server (pid {pid}) is there but does not answer; stop it.")
        return False

    def _prepare(self) -> None:
        """Make the data folder if it is new and clear what a killed server left behind."""
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        private_folder(self.socket_folder)
        for leftover in self.socket_folder.glob(".s.PGSQL.*"):
            leftover.unlink()
        launcher().own(self.socket_folder)

    def _initialise(self) -> None:
        """Run initdb into a fresh folder and move it into place, so that half of one never counts.

        The C library's UTF-8 rules come first because they treat a no-break space as the users'
        servers do; PostgreSQL's own rules are for machines without that locale.
        """
        fresh = self.folder / "data.new"
        errors = []
        for locale in (
            ["--locale=C.UTF-8"],
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
        ):
            shutil.rmtree(fresh, ignore_errors=True)
            private_folder(fresh)
            launcher().own(fresh)
            done = launcher().run(self._initdb_command(fresh, locale))
            if done.returncode == 0:
                fresh.rename(self.data)
                return
            errors.append(done.stderr.strip())
        raise SandboxError(f"initdb failed in {self.folder}: {errors[0]}")

    def _initdb_command(self, folder: Path, locale: list[str]) -> list[str]:
        return [
            str(self._server().initdb),
            f"--pgdata={folder}",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-sync",
            "--no-instructions",
            *locale,
        ]

    def _launch(self, *, owned: bool) -> None:
        """Start and wait; retried, because a killed server's children need a moment to leave."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with self.log.open("ab") as log:
                process = launcher().spawn(
                    self._server_command(), log=log, cwd=self.folder, owned=owned
                )
            if self._wait_until_ready(process, deadline):
                return
            if time.monotonic() > deadline or not self._left_over_children():
                raise SandboxError(f"The server did not start: {last_lines(self.log, 1)}")
            time.sleep(0.1)

    def _wait_until_ready(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            if self._answers() is None:
                process.returncode = 0  # from here on it is known by its pid file alone
                return True
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.wait()
        return False

    def _left_over_children(self) -> bool:
        return "still in use" in last_lines(self.log, 3)

    def _server_command(self) -> list[str]:
        settings = self._settings()
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return [str(self._server().postgres), "-D", str(self.data), *options]

    def _settings(self) -> dict[str, str]:
        """Server settings; its time zone is not UTC so that code which assumes UTC shows."""
        settings = {
            "listen_addresses": "",
            "port": str(_PORT),
            "unix_socket_directories": str(self.socket_folder).replace('"', '\\"'),
            "unix_socket_permissions": "0700",
            "timezone": "Europe/Vienna",
            "log_timezone": "UTC",
            "max_wal_size": "2GB",
            "log_destination": "stderr",
        }
        if self._server().has_library("pg_stat_statements"):
            settings["shared_preload_libraries"] = "pg_stat_statements"
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        return settings

    def _server(self) -> Binaries:
        if self._binaries is None:
            self._binaries = find_binaries()
        return self._binaries

    def _answers(self) -> str | None:
        """None when a connection succeeds, else why it did not."""
        import psycopg

        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            return str(error)
        return None

    def _gone(self, pid: int, seconds: float) -> bool:
        """Wait for the process to end, reaping it if it is our child."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if not self._serves_this_folder(pid):
                return True
            time.sleep(0.01)
        return False

    def _remove_socket_folder(self) -> None:
        with contextlib.suppress(OSError):
            self.socket_folder.rmdir()
