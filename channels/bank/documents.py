"""ISO 20022 documents as bytes and as dataclasses: hardened reading, and writing that is validated.

Pure. What a bank (or whoever can write into the folder) sends is parsed without DTD, entities or
network and within a size; what we send has passed the schema before it leaves. Older and newer
versions of a message are read as the one version this adapter knows: what it reads of them has the
same names in all (wire-protocols.md §4.5, §4.7), and what it does not know is skipped.
"""

from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree
from pyiso20022.camt import camt_052_001_08, camt_053_001_08, camt_054_001_08
from pyiso20022.pain import pain_002_001_12
from xsdata.exceptions import ConverterError, ParserError
from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig
from xsdata.formats.dataclass.parsers.handlers import LxmlEventHandler
from xsdata.formats.dataclass.serializers import XmlSerializer
from xsdata.formats.dataclass.serializers.config import SerializerConfig

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
PAIN_001 = "pain.001.001.09"
DOCUMENT_BYTES_MAX = 64 << 20
"""A statement of a hundred thousand entries is half of it."""

SCHEMA = Path(__file__).parent / "schemas" / f"{PAIN_001}.xsd"

_CLASSES: dict[str, Any] = {
    "pain.002": pain_002_001_12.Document,
    "camt.052": camt_052_001_08.Document,
    "camt.053": camt_053_001_08.Document,
    "camt.054": camt_054_001_08.Document,
}
_CANONICAL = {
    "pain.002": "pain.002.001.12",
    "camt.052": "camt.052.001.08",
    "camt.053": "camt.053.001.08",
    "camt.054": "camt.054.001.08",
}
_CONTEXT = XmlContext()
_CONFIG = ParserConfig(
    fail_on_unknown_properties=False,
    fail_on_unknown_attributes=False,
    fail_on_converter_warnings=True,
)


class DocumentError(ValueError):
    """The bytes are not a message we can read; the text never quotes them."""


def render(document: object) -> bytes:
    """Write a pain.001 and hold it to the schema. DocumentError names the place at fault."""
    serializer = XmlSerializer(context=_CONTEXT, config=SerializerConfig(encoding="UTF-8"))
    raw: bytes = serializer.render(document, ns_map={None: NAMESPACE + PAIN_001}).encode()
    schema = _schema()
    if not schema.validate(etree.fromstring(raw, _parser())):
        at = {f"line {error.line}: {error.type_name}" for error in schema.error_log}
        raise DocumentError(f"not a valid {PAIN_001}: {', '.join(sorted(at))}")
    return raw


def message_name(raw: bytes) -> str:
    """Which message it is, e.g. `camt.053.001.08`. DocumentError."""
    return _name(_root(raw))


def read(raw: bytes, accepted: frozenset[str]) -> tuple[str, Any]:
    """The kind (`camt.053`) and the message. DocumentError, also for a version not accepted.

    A kind that is none of ours gives None instead of the message: it is not about payouts.
    """
    root = _root(raw)
    name = _name(root)
    kind = name[:8]
    if kind not in _CLASSES:
        return kind, None
    if name not in accepted:
        raise DocumentError(f"version {name} is not in the bank's profile")
    for element in root.iter(f"{{{NAMESPACE}{name}}}*"):
        # Only the message's own: what stands in another namespace (an envelope of somebody's
        # additions, say) is not the bank's status or amount, whatever it is called there.
        local = etree.QName(element).localname
        element.tag = f"{{{NAMESPACE}{_CANONICAL[kind]}}}{local}"
    _refuse_ambiguous(root, _CLASSES[kind])
    parser = XmlParser(context=_CONTEXT, config=_CONFIG, handler=LxmlEventHandler)
    try:
        return kind, parser.parse(root, _CLASSES[kind])
    except (ParserError, ConverterError, TypeError, ValueError, ArithmeticError) as error:
        # TypeError: a mandatory element is missing, and the dataclass cannot be made.
        raise DocumentError(f"a {name} that does not keep its schema") from error


def _refuse_ambiguous(root: Any, message: Any) -> None:
    """DocumentError for an element that stands twice where the schema allows one, or for two
    alternatives of a choice: the parser would take one of them, and which is no matter of chance.
    """
    to_look_at = [(root, message)]
    while to_look_at:
        element, clazz = to_look_at.pop()
        known = _CONTEXT.build(clazz).elements
        seen: set[str] = set()
        for child in element:
            if child.tag not in known:
                continue
            of_child = known[child.tag][0]
            if child.tag in seen and not of_child.list_element:
                raise DocumentError(f"{of_child.local_name} stands twice")
            seen.add(child.tag)
            if of_child.clazz is not None:
                to_look_at.append((child, of_child.clazz))
        if len(seen) > 1 and clazz.__name__.endswith("Choice"):
            # The standard names every choice of one element so.
            raise DocumentError(f"more than one alternative of {clazz.__name__}")


def _root(raw: bytes) -> Any:
    if len(raw) > DOCUMENT_BYTES_MAX:
        raise DocumentError("implausibly large")
    if b"\0" in raw or b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        # NUL bytes: UTF-16 or UTF-32, in which the other two would hide.
        raise DocumentError("has a DTD, or is not UTF-8")
    try:
        root = etree.fromstring(raw, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DocumentError("not well-formed XML") from error
    info = root.getroottree().docinfo
    if info.doctype or (info.encoding or "UTF-8").upper() not in {"UTF-8", "ASCII", "US-ASCII"}:
        raise DocumentError("has a DTD, or is not UTF-8")
    return root


def _name(root: Any) -> str:
    tag = etree.QName(root)
    namespace = tag.namespace or ""
    if tag.localname != "Document" or not namespace.startswith(NAMESPACE):
        raise DocumentError("not an ISO 20022 document")
    return namespace.removeprefix(NAMESPACE)


def _parser() -> Any:
    """A parser that fetches nothing, expands nothing and keeps the library's own limits."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=False,
    )


@cache
def _schema() -> Any:
    return etree.XMLSchema(etree.parse(str(SCHEMA), _parser()))
