"""Names of segments in the store: what they are a function of, hashed."""

import hashlib
from array import array

from workflow_scripts.common.provenance import canonical_json
from workflow_scripts.inference.chain import Ids
from workflow_scripts.inference.engine import Sampling


def as_bytes(ids: Ids) -> bytes:
    """Ids as little-endian int32."""
    return array("i", ids).tobytes()


def from_bytes(blob: bytes) -> Ids:
    """Ids from little-endian int32."""
    return tuple(memoryview(blob).cast("i"))


def segment_key(scope: str, prompt: Ids, sampling: Sampling) -> str:
    """Key of the segment that follows `prompt`; `scope` stands for model and engine.

    The cap is left out: a segment that was cut can be continued from its last id.
    """
    head = canonical_json([scope, sampling.identity()]).encode()
    return hashlib.sha256(head + b"\0" + as_bytes(prompt)).hexdigest()[:32]
