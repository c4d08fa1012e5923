"""Who runs the trials: this process, processes of this machine, or a Dask cluster."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..graph import OptionError
from .trial import Outcome

CONNECT_S = 10.0
"""Seconds in which a scheduler must answer."""


class Pool(Protocol):
    """Runs functions; ``width``: how many at once."""

    width: int

    def submit(self, function: Callable[..., Outcome], *arguments: Any) -> Any:
        """Begin to run a function; give a handle."""

    def wait(self, jobs: Sequence[Any]) -> list[Any]:
        """Wait until one is done, or more; give those."""

    def result(self, job: Any) -> Outcome:
        """Give what it returned; for one that died an outcome that says so."""

    def close(self) -> None:
        """Let the workers go."""


class Here:
    """One process, the caller's, one trial after the other."""

    width = 1

    def submit(self, function: Callable[..., Outcome], *arguments: Any) -> Any:
        """Run the function at once; where it breaks, the outcome says so, as that of a worker."""
        try:
            return _Done(function(*arguments))
        except Exception as error:
            return _Done(_broken("the trial", error))

    def wait(self, jobs: Sequence[Any]) -> list[Any]:
        """All are done."""
        return list(jobs)

    def result(self, job: Any) -> Outcome:
        """Give what it returned."""
        found: Outcome = job.outcome
        return found

    def close(self) -> None:
        """Nothing to let go."""


def _broken(what: str, error: Exception) -> Outcome:
    return Outcome(reason=f"{what} failed: {type(error).__name__}: {error}".splitlines()[0], kind="failed")


class _Done:
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class Cluster:
    """A Dask cluster: of this machine's processes, or one that runs elsewhere."""

    def __init__(self, client: Any, width: int) -> None:
        self.client = client
        self.width = width
        self._sent: dict[int, Any] = {}

    def submit(self, function: Callable[..., Outcome], *arguments: Any) -> Any:
        """Send the function to a worker; what is large and the same for all goes once."""
        task = arguments[0]
        if id(task) not in self._sent:
            self._sent[id(task)] = self.client.scatter(task, broadcast=True, hash=False)
        return self.client.submit(function, self._sent[id(task)], *arguments[1:], pure=False, retries=0)

    def wait(self, jobs: Sequence[Any]) -> list[Any]:
        """Wait for the first that is done."""
        from distributed import wait

        return list(wait(list(jobs), return_when="FIRST_COMPLETED").done)

    def result(self, job: Any) -> Outcome:
        """Give what the worker returned; where it died, or the function broke, an outcome that says so."""
        try:
            found: Outcome = job.result()
            return found
        except Exception as error:
            return _broken("the worker", error)

    def close(self) -> None:
        """Close the connection; workers of this machine end."""
        self.client.close()
        cluster = getattr(self.client, "cluster", None)
        if cluster is not None:
            cluster.close()


def make_pool(workers: str | int) -> Pool:
    """Give the pool for ``--workers``: a number of processes, or a scheduler's address (dask://host:port).

    Raises OptionError for what is neither, and for a scheduler that does not answer.
    """
    text = str(workers)
    if text.isdigit():
        count = int(text)
        if count < 1:
            raise OptionError(f"workers = {count}", hint="1 or more, or the address of a Dask scheduler")
        return Here() if count == 1 else _local(count)
    if "://" in text:
        return _connected(text)
    raise OptionError(f"workers = {text!r}", hint="a number, or an address: dask://host:8786")


def _local(count: int) -> Pool:
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    )
    return Cluster(Client(cluster), count)


def _connected(address: str) -> Pool:
    from distributed import Client

    place = address.replace("dask://", "tcp://", 1)
    try:
        client = Client(place, timeout=CONNECT_S)
    except (OSError, TimeoutError, ValueError) as error:
        what = f"no Dask scheduler answers: {type(error).__name__}"
        raise OptionError(what, where=address, hint="start one (dask scheduler), or --workers N") from None
    count = len(client.scheduler_info()["workers"])
    if not count:
        client.close()
        raise OptionError("the scheduler has no workers", where=address, hint="start some (dask worker ADDRESS)")
    return Cluster(client, count)


__all__ = ["CONNECT_S", "Pool", "make_pool"]
