"""Public names of asva_curate, loaded when first used."""

from .curate_folder import CuratedFolder as CuratedFolder
from .curate_folder import curate_folder as curate_folder
from .curation.curve import Curve as Curve
from .curation.cuts import CutRule as CutRule
from .curation.cuts import detected_cuts as detected_cuts
from .curation.cuts import find_cuts as find_cuts
from .curation.cuts import shots as shots
from .curation.demix import Demixings as Demixings
from .curation.demix import DemixScore as DemixScore
from .curation.demix import VoiceOverScore as VoiceOverScore
from .curation.demix import both_scores as both_scores
from .curation.demix import demix_distance as demix_distance
from .curation.demix import subset as subset
from .curation.demix import voice_over_share as voice_over_share
from .curation.duplicates import find_duplicates as find_duplicates
from .curation.excerpts import Excerpt as Excerpt
from .curation.filters import Filter as Filter
from .curation.fit import FitScore as FitScore
from .curation.measurements import Measurements as Measurements
from .curation.measuring import Plan as Plan
from .curation.measuring import measure as measure
from .curation.measuring import measure_safely as measure_safely
from .curation.recipe import Recipe as Recipe
from .curation.recipe import SetRule as SetRule
from .curation.recipe import load_recipe as load_recipe
from .curation.recipe import recipe_names as recipe_names
from .curation.results import Results as Results
from .curation.rhythm import RhythmScore as RhythmScore
from .curation.run import Source as Source
from .curation.run import curate as curate
from .curation.run import sources as sources
from .curation.semantics import SemanticsScore as SemanticsScore
from .curation.semantics import SyncScore as SyncScore
from .curation.semantics import sync_probability as sync_probability
from .curation.spread import percentiles as percentiles
from .curation.table import read_measurements as read_measurements
from .curation.table import write_clips as write_clips
from .curation.table import write_measurements as write_measurements
from .curation.table import write_results as write_results
from .curation.table import write_verdicts as write_verdicts
from .curation.text import TextCover as TextCover
from .curation.transnet import TransNetCuts as TransNetCuts
from .curation.verdict import Span as Span
from .curation.verdict import Verdict as Verdict
from .curation.verdict import clip_key as clip_key
from .curation.verdict import decide as decide
from .curation.whole_set import count_reasons as count_reasons
from .curation.whole_set import settle as settle
from .curation.windows import WindowRule as WindowRule
from .report.summary import summarize as summarize
from .report.summary import write_report as write_report
from .review.agreement import Agreement as Agreement
from .review.agreement import agreement as agreement
from .review.agreement import disputed as disputed
from .review.agreement import review_summary as review_summary
from .review.decisions import Decision as Decision
from .review.decisions import DecisionLog as DecisionLog
from .review.decisions import read_reviews as read_reviews
from .review.merging import apply_reviews as apply_reviews
from .review.merging import merge_reviews as merge_reviews
from .scale.clip_shards import shard_clips as shard_clips
from .scale.curating import check_measurable as check_measurable
from .scale.curating import judge as judge
from .scale.curating import measure_files as measure_files

__all__ = [
    "Agreement",
    "CuratedFolder",
    "Curve",
    "CutRule",
    "Decision",
    "DecisionLog",
    "DemixScore",
    "Demixings",
    "Excerpt",
    "Filter",
    "FitScore",
    "Measurements",
    "Plan",
    "Recipe",
    "Results",
    "RhythmScore",
    "SemanticsScore",
    "SetRule",
    "Source",
    "Span",
    "SyncScore",
    "TextCover",
    "TransNetCuts",
    "Verdict",
    "VoiceOverScore",
    "WindowRule",
    "agreement",
    "apply_reviews",
    "both_scores",
    "check_measurable",
    "clip_key",
    "count_reasons",
    "curate",
    "curate_folder",
    "decide",
    "demix_distance",
    "detected_cuts",
    "disputed",
    "find_cuts",
    "find_duplicates",
    "judge",
    "load_recipe",
    "measure",
    "measure_files",
    "measure_safely",
    "merge_reviews",
    "percentiles",
    "read_measurements",
    "read_reviews",
    "recipe_names",
    "settle",
    "shard_clips",
    "shots",
    "sources",
    "subset",
    "summarize",
    "sync_probability",
    "voice_over_share",
    "write_clips",
    "write_measurements",
    "write_report",
    "write_results",
    "write_verdicts",
]
