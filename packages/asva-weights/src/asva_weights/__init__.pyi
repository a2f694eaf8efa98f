"""Public names of asva_weights, loaded when first used."""

from .checkpoint import read_checkpoint as read_checkpoint
from .checkpoint import read_content as read_content
from .checkpoint import read_object as read_object
from .errors import ConversionError as ConversionError
from .errors import ModelError as ModelError
from .files import file_digest as file_digest
from .files import package_versions as package_versions
from .files import staged as staged
from .files import write_json as write_json
from .key_table import KeyTable as KeyTable
from .plain_pickle import read_arrays as read_arrays
from .remote import DownloadPlan as DownloadPlan
from .remote import RemoteFile as RemoteFile
from .shapes import count_of as count_of
from .shapes import shape_of as shape_of

__all__ = [
    "ConversionError",
    "DownloadPlan",
    "KeyTable",
    "ModelError",
    "RemoteFile",
    "count_of",
    "file_digest",
    "package_versions",
    "read_arrays",
    "read_checkpoint",
    "read_content",
    "read_object",
    "shape_of",
    "staged",
    "write_json",
]
