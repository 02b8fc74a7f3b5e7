"""The configuration of a model, from JSON or from a `.keras` archive, within bounds."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, NoReturn

from netdsl.diagnostics import Source, Span
from netdsl.diagnostics.reading import reason
from netdsl.files import read_source
from netdsl.importers.frontend import refused

MAX_BYTES = 10_000_000
CONFIG = "config.json"
NUMBERS = "model.weights.h5"


def configuration(path: str) -> Any:
    """What the JSON of a model holds. Raises `DiagnosticError`."""
    source = Source(path, _archived(path)) if path.lower().endswith(".keras") else read_source(path)
    try:
        return json.loads(source.text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        span = Span(source, error.pos, min(error.pos + 1, len(source.text)))
        raise refused(f"this is no JSON: {error.msg.lower()}", span) from None
    except ValueError as error:
        raise refused(f"this is no JSON: {error}", Span(source, 0, 0)) from None
    except RecursionError:
        message = "the file is nested deeper than any model"
        raise refused(message, Span(source, 0, 0), code="too-deep") from None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _archived(path: str) -> str:
    """The text of the configuration in an archive."""
    start = Span(Source(path, ""), 0, 0)
    help = "`model.to_json()` gives the configuration alone"
    try:
        if not Path(path).is_file():
            raise refused(f"can't read {path}: it is no plain file", None, code="unreadable-file")
        with zipfile.ZipFile(path) as archive, archive.open(CONFIG) as file:
            data = file.read(MAX_BYTES + 1)
    except KeyError:
        raise refused(f"the archive has no `{CONFIG}`", start, help=help) from None
    except OSError as error:
        message = f"can't read {path}: {reason(error)}"
        raise refused(message, None, code="unreadable-file") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise refused(f"this is no archive of Keras 3: {error}", start, help=help) from None
    except Exception as error:  # zlib and others say what is wrong with their data in many ways
        if type(error).__module__ not in ("zlib", "_lzma", "lzma", "bz2"):
            raise
        raise refused(f"this is no archive of Keras 3: {error}", start, help=help) from None
    if len(data) > MAX_BYTES:
        raise refused(f"`{CONFIG}` is larger than 10 MB", start, code="too-large")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refused(f"`{CONFIG}` is not UTF-8 text", start, code="not-text") from None
