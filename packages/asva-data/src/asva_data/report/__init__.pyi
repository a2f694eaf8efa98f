from .summary import summarize as summarize
from .writing import write_report as write_report
