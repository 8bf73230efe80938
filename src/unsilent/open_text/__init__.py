"""Open text: prompts that a model answers in writing, and judges that rate what it wrote.

Everything stays a forced choice: an open item's choices are whether a judge sees in the text what
it is asked to look for, and an outcome is the probability that it does. Texts never leave a client.
"""

from unsilent.open_text.judges import Rate, judge_of
from unsilent.open_text.kinds import KINDS, Kind, kind_of
from unsilent.open_text.writing import Writing

__all__ = ["KINDS", "Kind", "Rate", "Writing", "judge_of", "kind_of"]
