"""`Admin`: an instance, by its admin key: projects, keys, jobs, state.

Guarantees: a job is started once, never by a repeated request.
Deliberately not here: what one project's secret key may do (`project`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import httpx

from ._http import Api, Backoff, Http, Params, segment
from .books import DeadLetter, Job, JobScope, Range, Redriven, Status
from .errors import TallymarkError
from .project import PAGE, Project, When, _given, _when
from .records import Key, ProjectInfo, read

OPERATIONS = "/api/v1/operations"
Place = Range | Mapping[str, Any]


class JobFailedError(TallymarkError):
    """A job that was waited for failed or was cancelled."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        return f"job {self.job.id} ({self.job.kind}) is {self.job.state}: {self.job.error or self.job.progress.note}"


class Admin:
    """Creates projects, reads operations, starts jobs."""

    def __init__(
        self,
        url: str,
        admin_key: str,
        *,
        timeout: float = 60.0,
        retries: int = 4,
        backoff: Backoff | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        http = Http(url, admin_key, timeout=timeout, transport=transport)
        self._api = Api(http, retries=retries, backoff=backoff)

    def close(self) -> None:
        """Closes the connections."""
        self._api.http.close()

    def __enter__(self) -> Admin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- projects and keys ----------------------------------------------------------------------------------

    def projects(self) -> list[ProjectInfo]:
        """All projects."""
        return [read(ProjectInfo, p) for p in self._api.get("/api/v1/projects")["projects"]]

    def project(self, name: str) -> Project:
        """One project, to ask and to manage."""
        return Project._of(self._api, name)

    def create_project(
        self,
        name: str,
        *,
        timezone: str | None = None,
        week_start: Literal["monday", "sunday", "saturday"] | None = None,
        session_timeout_min: float | None = None,
        shared_device: Literal["last_user", "first_user"] | None = None,
        inactive_events: Sequence[str] | None = None,
    ) -> ProjectInfo:
        """Creates a project. Its keys are in the answer; the secret key is told only now."""
        body = _given(
            name=name,
            timezone=timezone,
            week_start=week_start,
            session_timeout_min=session_timeout_min,
            identity={"shared_device": shared_device} if shared_device else None,
            inactive_events=list(inactive_events) if inactive_events is not None else None,
        )
        return read(ProjectInfo, self._api.change("POST", "/api/v1/projects", body))

    def delete_project(self, name: str, *, reason: str, confirm: str | None = None) -> None:
        """Hides a project; `restore_project` brings it back for seven days."""
        self._api.change("DELETE", f"/api/v1/projects/{segment(name)}", params={"reason": reason, "confirm": confirm})

    def restore_project(self, name: str) -> ProjectInfo:
        """Brings a deleted project back."""
        return read(ProjectInfo, self._api.change("POST", f"/api/v1/projects/{segment(name)}/restore"))

    def keys(self) -> list[Key]:
        """Admin keys; a project's keys are at `project(name).keys()`."""
        return [read(Key, k) for k in self._api.get("/api/v1/keys")["keys"]]

    def create_key(self, name: str | None = None) -> Key:
        """Makes an admin key; its `value` is told only now."""
        return read(Key, self._api.change("POST", "/api/v1/keys", _given(name=name)))

    def revoke_key(self, id: str) -> None:
        """Makes an admin key worthless."""
        self._api.change("DELETE", f"/api/v1/keys/{segment(id)}")

    # -- jobs -----------------------------------------------------------------------------------------------

    def jobs(self, limit: int = 100) -> list[Job]:
        """The newest jobs, newest first."""
        return [read(Job, j) for j in self._api.get(f"{OPERATIONS}/jobs", {"limit": limit})["jobs"]]

    def job(self, id: str) -> Job:
        """One job."""
        return read(Job, self._api.get(f"{OPERATIONS}/jobs/{segment(id)}"))

    def job_scope(self, kind: str, spec: Mapping[str, Any] | None = None, *, project: str | None = None) -> JobScope:
        """What a job would touch, without starting it."""
        body = _given(kind=kind, spec=dict(spec or {}), project=project)
        return read(JobScope, self._api.ask("POST", f"{OPERATIONS}/jobs/scope", body=body).json)

    def start_job(
        self,
        kind: str,
        spec: Mapping[str, Any] | None = None,
        *,
        project: str | None = None,
        reason: str = "",
        dry_run: bool = False,
        confirm: str | None = None,
    ) -> Job:
        """Starts a job. `confirm` is the environment's name, where it is protected."""
        body = _given(
            kind=kind, spec=dict(spec or {}), project=project, reason=reason, dry_run=dry_run, confirm=confirm
        )
        return read(Job, self._api.change("POST", f"{OPERATIONS}/jobs", body))

    def skip(self, ranges: Sequence[Place], *, reason: str, **more: Any) -> Job:
        """Passes records by; they stay in the books until a replay."""
        return self.start_job("skip", {"ranges": _ranges(ranges)}, reason=reason, **more)

    def replay(self, ranges: Sequence[Place] | None = None, *, reason: str = "", **more: Any) -> Job:
        """Takes skipped records in after all; without ranges, all of them."""
        spec = {} if ranges is None else {"ranges": _ranges(ranges)}
        return self.start_job("replay", spec, reason=reason, **more)

    def reprocess(
        self,
        ranges: Sequence[Place] | None = None,
        *,
        received_from: When | None = None,
        received_to: When | None = None,
        reason: str,
        **more: Any,
    ) -> Job:
        """Decides records again, with the rules and parsers of today."""
        spec = _given(
            ranges=None if ranges is None else _ranges(ranges),
            received_from=_when(received_from),
            received_to=_when(received_to),
        )
        return self.start_job("reprocess", spec, reason=reason, **more)

    def rebuild(self, what: Literal["state", "identity", "segments"], **more: Any) -> Job:
        """Derives something again from the log."""
        return self.start_job(f"rebuild_{what}", **more)

    def backup(self, to: str | None = None, **more: Any) -> Job:
        """Backs up now; without an address, where the schedule does."""
        return self.start_job("backup", _given(to=to), **more)

    def pause_job(self, id: str) -> Job:
        """Makes a job wait."""
        return self._steer(id, "pause")

    def resume_job(self, id: str) -> Job:
        """Lets a job go on."""
        return self._steer(id, "resume")

    def cancel_job(self, id: str) -> Job:
        """Ends a job; what it did stays."""
        return self._steer(id, "cancel")

    def wait_job(self, job: Job | str, timeout: float = 600.0, poll: float = 0.5) -> Job:
        """Waits until a job is done. Raises `JobFailedError` or, after `timeout` seconds, `TimeoutError`."""
        number = job if isinstance(job, str) else job.id
        end = time.monotonic() + timeout
        while True:
            now = self.job(number)
            if now.is_over:
                if now.state != "done":
                    raise JobFailedError(now)
                return now
            if time.monotonic() >= end:
                raise TimeoutError(f"job {number} ({now.kind}) is still {now.state}: {now.progress.note}")
            time.sleep(poll)

    def _steer(self, number: str, verb: str) -> Job:
        return read(Job, self._api.change("POST", f"{OPERATIONS}/jobs/{segment(number)}/{verb}"))

    # -- state ----------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """Which parts are up."""
        return read(Status, self._api.get("/api/v1/status"))

    def summary(self) -> dict[str, Any]:
        """The instance at a glance."""
        return dict(self._api.get(f"{OPERATIONS}/summary"))

    def findings(self) -> list[dict[str, Any]]:
        """What the monitors find wrong now."""
        return list(self._api.get(f"{OPERATIONS}/findings")["findings"])

    def alerts(self, limit: int = 100) -> list[dict[str, Any]]:
        """Incidents, newest first."""
        return list(self._api.get(f"{OPERATIONS}/alerts", {"limit": limit})["alerts"])

    def audit(self, limit: int = 100) -> list[dict[str, Any]]:
        """Who changed what, newest first."""
        return list(self._api.get("/api/v1/audit", {"limit": limit})["entries"])

    def settings(self) -> dict[str, Any]:
        """The instance's settings."""
        return dict(self._api.get(f"{OPERATIONS}/settings"))

    def change_settings(self, **settings: Any) -> dict[str, Any]:
        """Changes settings; what is left out stays."""
        return dict(self._api.change("PUT", f"{OPERATIONS}/settings", settings))

    def loss_report(self, lane: str, partition: int, from_: int, to: int) -> dict[str, Any]:
        """What became of every record of a range of the log, and who sent them."""
        params: Params = {"lane": lane, "partition": partition, "from": from_, "to": to}
        return dict(self._api.get(f"{OPERATIONS}/loss-report", params))

    def unowned_letters(self) -> Iterator[DeadLetter]:
        """Records whose key belongs to no project."""
        letters = self._api.pages(f"{OPERATIONS}/dead-letters", "dead", {"limit": PAGE})
        return (read(DeadLetter, letter) for letter in letters)

    def adopt_letters(self, project: str, items: Sequence[Mapping[str, Any]] = (), **more: Any) -> Redriven:
        """Gives such records to a project; `more` as for `Project.redrive`."""
        body = _given(project=project, items=list(items) or None, **more)
        return read(Redriven, self._api.change("POST", f"{OPERATIONS}/dead-letters/redrive", body))


def _ranges(ranges: Sequence[Place]) -> list[dict[str, Any]]:
    return [
        {"lane": r.lane, "partition": r.partition, "from": r.from_, "to": r.to} if isinstance(r, Range) else dict(r)
        for r in ranges
    ]
