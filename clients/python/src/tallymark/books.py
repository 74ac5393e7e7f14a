"""The shapes of the books and of the instance, as `records` has those of events and projects.

Deliberately not here: reading them from JSON (`records`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .records import Instant, Json

# -- the books --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Identity:
    """acknowledged = visible + duplicate + filtered + dead + pending."""

    acknowledged: int
    visible: int
    duplicate: int
    filtered: int
    dead: int
    pending: int
    balanced: bool
    pending_exact: bool


@dataclass(frozen=True)
class Lane:
    """How far one partition of the log is processed."""

    lane: str
    partition: int
    start: int
    end: int
    cursor: int
    pending: int
    watermark: Instant | None = None


@dataclass(frozen=True)
class Tally:
    """Outcomes of a range of records."""

    visible: int
    duplicate: int
    filtered: int
    dead: int
    control: int
    hole: int


@dataclass(frozen=True)
class Interval:
    """A range of the log with one entry in the books."""

    lane: str
    partition: int
    to: int
    status: str
    received_from: Instant
    received_to: Instant
    tally: Tally
    fingerprint: str
    reason: str | None = None
    from_: int = 0


@dataclass(frozen=True)
class Skipped:
    """Records that somebody passed by; `replay` heals them."""

    lane: str
    partition: int
    to: int
    by: str
    reason: str
    received_from: Instant
    received_to: Instant
    from_: int = 0


@dataclass(frozen=True)
class Ledger:
    """A project's books as of one commit."""

    commit: int
    as_of: Instant
    identity: Identity
    complete_through: Instant | None = None
    lanes: list[Lane] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    intervals_left_out: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    gaps: list[dict[str, Json]] = field(default_factory=list)
    restatements: list[dict[str, Json]] = field(default_factory=list)
    held_back: dict[str, Json] = field(default_factory=dict)
    instance: Identity | None = None
    log: str | None = None


@dataclass(frozen=True)
class Reason:
    """Why a record is not visible."""

    code: str
    message: str


@dataclass(frozen=True)
class RecordOutcome:
    """What became of one record; `witness` is the position of the row that a duplicate repeats."""

    position: str
    outcome: str
    decisions: int
    event: str | None = None
    insert_id: str | None = None
    received_at: Instant | None = None
    decided_at: Instant | None = None
    commit: int | None = None
    origin: str | None = None
    witness: str | None = None
    reason: Reason | None = None
    rule: dict[str, Json] | None = None


@dataclass(frozen=True)
class DeadLetter:
    """A record that could not be read, with its bytes as text."""

    position: str
    lane: str
    partition: int
    offset: int
    received_at: Instant
    wire: str
    body: str
    reason: Reason


@dataclass(frozen=True)
class RedrivenLetter:
    """What became of one dead letter; `error` says why it was not redriven."""

    position: str
    event: str | None = None
    body: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Redriven:
    """What became of the dead letters that were to be mended."""

    dry_run: bool
    redriven: int
    refused: int
    letters: list[RedrivenLetter] = field(default_factory=list)


@dataclass(frozen=True)
class Erasure:
    """A person being forgotten."""

    id: int
    state: str
    by: str
    reason: str
    made_at: Instant
    undo_until: Instant
    undone: bool
    subjects: list[dict[str, Json]] = field(default_factory=list)
    published_at: Instant | None = None
    completed_at: Instant | None = None


# -- the instance -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JobProgress:
    """How far a job is."""

    done: int
    total: int
    unit: str
    note: str
    eta: Instant | None = None


@dataclass(frozen=True)
class Job:
    """Long work that somebody asked for."""

    id: str
    kind: str
    state: str
    wish: str
    by: str
    reason: str
    dry_run: bool
    progress: JobProgress
    created_at: Instant
    updated_at: Instant
    started_at: Instant | None = None
    finished_at: Instant | None = None
    project: str | None = None
    error: str | None = None
    spec: dict[str, Json] = field(default_factory=dict)
    report: dict[str, Json] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Done, failed or cancelled."""
        return self.state in ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Preview:
    """What trying a rule found: `job.report`, complete if `ready`."""

    job: Job
    ready: bool


@dataclass(frozen=True)
class Range:
    """Records `from_` up to, not with, `to` of one partition of the log."""

    lane: str
    to: int
    partition: int = 0
    from_: int = 0


@dataclass(frozen=True)
class JobScope:
    """What a job would touch."""

    environment: str
    protected: bool
    destructive: bool
    events: int
    projects: list[str] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    problem: str | None = None


@dataclass(frozen=True)
class Component:
    """A part of the instance: `up`, `down` or `unknown`."""

    name: str
    status: str
    detail: str


@dataclass(frozen=True)
class Status:
    """How the instance is."""

    components: list[Component] = field(default_factory=list)
    commit: int | None = None
    version: str = ""
