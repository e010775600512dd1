"""The one encoding of the contract: JSON, UTF-8, field order as declared, defaults left out.

A record is a JSON array of facts; a finding is one JSON object. Equal values give equal bytes, which is what
lets a replay be compared byte for byte.
"""

import msgspec

from flowmon.commands import Command
from flowmon.errors import Undecodable
from flowmon.facts import Fact, Record
from flowmon.findings import Finding

_encoder = msgspec.json.Encoder()
_record_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
_fact_decoder: msgspec.json.Decoder[Fact] = msgspec.json.Decoder(Fact)
_finding_decoder: msgspec.json.Decoder[Finding] = msgspec.json.Decoder(Finding)
_command_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)

encode = _encoder.encode
#: A list of values to as many lines, each with its newline.
encode_lines = _encoder.encode_lines


def decode_record(data: bytes) -> Record:
    """Bytes of a journal record to its facts.

    Raises Undecodable when the bytes are no JSON array of known facts, or the array is empty.
    """
    try:
        facts = _record_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(str(error)) from error
    if not facts:
        raise Undecodable("a record is never empty; whoever wrote it has a defect")
    return facts


def decode_fact(data: bytes) -> Fact:
    """Bytes of one fact. Raises Undecodable."""
    try:
        return _fact_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(str(error)) from error


def decode_finding(data: bytes) -> Finding:
    """Bytes of one finding. Raises Undecodable."""
    try:
        return _finding_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(str(error)) from error


def decode_command(data: bytes) -> Command:
    """Bytes of one command of the feed (`{"t":"cmd","do":"ack",…}`). Raises Undecodable."""
    try:
        return _command_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(str(error)) from error
