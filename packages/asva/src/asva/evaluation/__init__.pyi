from .cutting import Cut, cut_clip
from .engine import Evaluation, evaluate
from .matching import MatchError, Matching, match_folders, read_manifest
from .protocol import Protocol, ProtocolError, load_protocol, protocol_names, protocol_record
from .report import write_report

__all__ = [
    "Cut",
    "Evaluation",
    "MatchError",
    "Matching",
    "Protocol",
    "ProtocolError",
    "cut_clip",
    "evaluate",
    "load_protocol",
    "match_folders",
    "protocol_names",
    "protocol_record",
    "read_manifest",
    "write_report",
]
