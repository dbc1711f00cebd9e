"""The examiner: results scored against truth. It knows the values, and neither the stages nor who made the results."""

from leakseg.evaluate.study import Evaluation, document_text, evaluate, write_evaluation

__all__ = ["Evaluation", "document_text", "evaluate", "write_evaluation"]
