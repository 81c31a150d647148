"""The audit of an existing Keras model: where it computes something other than it seems to."""

from lstmgraph.interop.auditing.audit import Audit, audit
from lstmgraph.interop.auditing.finding import Finding

__all__ = ["Audit", "Finding", "audit"]
