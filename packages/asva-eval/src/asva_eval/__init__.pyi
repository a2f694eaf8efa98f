"""Public names of asva_eval, loaded when first used."""

from .benchmark import check_benchmark as check_benchmark
from .benchmark import judge_benchmark as judge_benchmark
from .benchmark import published_tables as published_tables
from .cutting import Cut as Cut
from .cutting import cut_clip as cut_clip
from .engine import Evaluation as Evaluation
from .engine import evaluate as evaluate
from .matching import MatchError as MatchError
from .matching import Matching as Matching
from .matching import match_folders as match_folders
from .matching import read_manifest as read_manifest
from .protocol import Protocol as Protocol
from .protocol import ProtocolError as ProtocolError
from .protocol import load_protocol as load_protocol
from .protocol import protocol_names as protocol_names
from .protocol import protocol_record as protocol_record
from .records import Undefined as Undefined
from .report import write_report as write_report
from .score import Score as Score
from .score import ScoredClip as ScoredClip
from .scores import score_names as score_names

__all__ = [
    "Cut",
    "Evaluation",
    "MatchError",
    "Matching",
    "Protocol",
    "ProtocolError",
    "Score",
    "ScoredClip",
    "Undefined",
    "check_benchmark",
    "cut_clip",
    "evaluate",
    "judge_benchmark",
    "load_protocol",
    "match_folders",
    "protocol_names",
    "protocol_record",
    "published_tables",
    "read_manifest",
    "score_names",
    "write_report",
]
