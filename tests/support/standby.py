"""A throw-away streaming replica of a Cluster, in a folder of its own."""

from tests.support.cluster import Cluster
from tests.support.threads import until


class Standby(Cluster):
    """A hot standby of `primary`, made by pg_basebackup; it may be paused, so that it is behind."""

    def __init__(self, primary: Cluster) -> None:
        super().__init__(primary.bindir, {"hot_standby": "on"})
        self.primary = primary

    def _fill(self) -> None:
        source = ["-h", self.primary.host, "-p", self.primary.port, "-U", "postgres"]
        options = ["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync"]
        done = self.account.run([self.bindir / "pg_basebackup", "-D", self.data, *source, *options], cwd=self.folder)
        assert done.returncode == 0, done.stdout

    def pause(self) -> None:
        """Replay nothing more; what the primary sends is still received."""
        self.execute("SELECT pg_wal_replay_pause()")
        until(lambda: self.execute("SELECT pg_get_wal_replay_pause_state()") == [("paused",)], "replay is paused")

    def resume(self) -> None:
        """Replay what was received meanwhile."""
        self.execute("SELECT pg_wal_replay_resume()")
