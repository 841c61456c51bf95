"""The Python client of Clarion, a gRPC service that finds anomalies and explains every one.

with Client.connect("localhost:50051") as client:
client.fit("pump-7", history, "mahalanobis", names=["flow", "pressure"])
result = client.score("pump-7", today, names=["flow", "pressure"])
for explanation in result.explanations:
print(explanation.summary)
"""

from clarion_client.client import Client
from clarion_client.columns import Words
from clarion_client.errors import (
    AlreadyExistsError,
    ArtifactCorruptError,
    BudgetExceededError,
    ClarionError,
    DeadlineExceededError,
    DrainingError,
    FieldViolation,
    FitInProgressError,
    InternalError,
    InvalidFrameError,
    InvalidParameterError,
    LimitExceededError,
    MissingExtraError,
    ModelNotFoundError,
    NotFittedError,
    NotFoundError,
    OperationCancelledError,
    OperationInterruptedError,
    OperationNotFoundError,
    PermissionDeniedError,
    PluginError,
    PluginNotFoundError,
    PreconditionError,
    SignalMismatchError,
    TooFewRowsError,
    UnauthenticatedError,
    UnavailableError,
    UnreachableRateError,
    UnsupportedPairError,
)
from clarion_client.explanations import (
    CellReason,
    CrossCheck,
    Culprit,
    Explanation,
    Label,
    SignalReason,
)
from clarion_client.faithfulness import (
    Blame,
    ExplanationReport,
    InjectedFigures,
    LocatedFigures,
    RankingHits,
    RemovalFigures,
)
from clarion_client.frames import frame
from clarion_client.health import Health
from clarion_client.models import (
    Calibration,
    Candidate,
    Choice,
    Model,
    ModelVersion,
    Plugin,
    Signal,
)
from clarion_client.operations import EvaluationOperation, FitOperation, Operation, Progress
from clarion_client.policy import Explain
from clarion_client.reports import (
    Curve,
    EvaluationReport,
    EventFigures,
    Figures,
    Latency,
    NameRecall,
    Trace,
)
from clarion_client.results import Attributions, ScoreResult
from clarion_client.spec import PipelineSpec, Step

__all__ = [
    "AlreadyExistsError",
    "ArtifactCorruptError",
    "Attributions",
    "Blame",
    "BudgetExceededError",
    "Calibration",
    "Candidate",
    "CellReason",
    "Choice",
    "ClarionError",
    "Client",
    "CrossCheck",
    "Culprit",
    "Curve",
    "DeadlineExceededError",
    "DrainingError",
    "EvaluationOperation",
    "EvaluationReport",
    "EventFigures",
    "Explain",
    "Explanation",
    "ExplanationReport",
    "FieldViolation",
    "Figures",
    "FitInProgressError",
    "FitOperation",
    "Health",
    "InjectedFigures",
    "InternalError",
    "InvalidFrameError",
    "InvalidParameterError",
    "Label",
    "Latency",
    "LimitExceededError",
    "LocatedFigures",
    "MissingExtraError",
    "Model",
    "ModelNotFoundError",
    "ModelVersion",
    "NameRecall",
    "NotFittedError",
    "NotFoundError",
    "Operation",
    "OperationCancelledError",
    "OperationInterruptedError",
    "OperationNotFoundError",
    "PermissionDeniedError",
    "PipelineSpec",
    "Plugin",
    "PluginError",
    "PluginNotFoundError",
    "PreconditionError",
    "Progress",
    "RankingHits",
    "RemovalFigures",
    "ScoreResult",
    "Signal",
    "SignalMismatchError",
    "SignalReason",
    "Step",
    "TooFewRowsError",
    "Trace",
    "UnauthenticatedError",
    "UnavailableError",
    "UnreachableRateError",
    "UnsupportedPairError",
    "Words",
    "frame",
]
