from .kept import Kept as Kept
from .records import Records as Records
from .table import Row as Row
from .table import TableError as TableError
from .table import content_digest as content_digest
from .table import read_rows as read_rows
from .workshop import Workshop as Workshop

__all__ = ["Kept", "Records", "Row", "TableError", "Workshop", "content_digest", "read_rows"]
