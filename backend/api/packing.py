"""Answers packed with gzip, where the way to the client is slower than packing."""

import gzip

from flask import Response, request

LEVEL = 1
"""The quickest compression: readings shrink to a fortieth."""
_SMALLEST_BYTES = 8 * 1024


def accepts_gzip() -> bool:
    """Whether the client of this request can unpack."""
    return request.accept_encodings.quality("gzip") > 0


def packed(answer: Response) -> Response:
    """The answer, packed if it is a large text and the client takes it so. Pictures and sounds are packed already.

    What is sent in parts, as files are, stays as it is: it may be larger than the memory.
    """
    kind = answer.mimetype or ""
    is_text = kind == "application/json" or kind.startswith("text/")
    # Waitress wraps files in a buffer that knows its length, so that they do not look streamed.
    in_parts = answer.is_streamed or answer.direct_passthrough
    if not is_text or in_parts or "Content-Encoding" in answer.headers or not accepts_gzip():
        return answer
    content = answer.get_data()
    if len(content) >= _SMALLEST_BYTES:
        answer.set_data(gzip.compress(content, LEVEL))
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Vary"] = "Accept-Encoding"
    return answer
