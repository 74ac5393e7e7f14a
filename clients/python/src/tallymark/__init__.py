"""Tallymark for Python: send events (`Client`), ask questions (`Project`), run an instance (`Admin`)."""

from ._http import Backoff
from .admin import Admin, JobFailedError
from .client import Client
from .delivery import BatchResult, Rejection
from .errors import (
    ApiError,
    ClosedError,
    InvalidEventError,
    QueueFullError,
    TallymarkError,
    UndeliveredError,
    UnreachableError,
)
from .events import Event, changes
from .project import Project
from .result import Explanation, Gap, Result

__version__ = "0.1.0"

__all__ = [
    "Admin",
    "ApiError",
    "Backoff",
    "BatchResult",
    "Client",
    "ClosedError",
    "Event",
    "Explanation",
    "Gap",
    "InvalidEventError",
    "JobFailedError",
    "Project",
    "QueueFullError",
    "Rejection",
    "Result",
    "TallymarkError",
    "UndeliveredError",
    "UnreachableError",
    "changes",
]
