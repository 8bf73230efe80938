"""Published scores from outcomes: each set's own numbers, as its authors define them.

Statistics of the failure modes say what personalization changed; these scores say where a model
stands, in the numbers that reviewers know.
"""

from unsilent_bench.scoring.accuracy import Accuracy, accuracy, outcomes_of
from unsilent_bench.scoring.bbq import BBQScores, bbq_scores
from unsilent_bench.scoring.consistency import Consistency, consistency
from unsilent_bench.scoring.crows_pairs import CrowsPairsScores, crows_pairs_scores
from unsilent_bench.scoring.lead import Leads, stereotype_lead
from unsilent_bench.scoring.sheet import score_sheet
from unsilent_bench.scoring.stereoset import StereoSetScores, stereoset_scores

__all__ = [
    "Accuracy",
    "BBQScores",
    "Consistency",
    "CrowsPairsScores",
    "Leads",
    "StereoSetScores",
    "accuracy",
    "bbq_scores",
    "consistency",
    "crows_pairs_scores",
    "outcomes_of",
    "score_sheet",
    "stereoset_scores",
    "stereotype_lead",
]
