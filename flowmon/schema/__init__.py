"""`flowmon schema`: the contract for programs in other languages, made from the structs and checked in."""

import argparse
import json
import sys
from pathlib import Path

import flowmon
from flowmon.schema.asyncapi import document
from flowmon.schema.jsonschema import documents
from flowmon.schema.typescript import declarations

_FEED = Path(flowmon.__file__).parent / "feed"


def files() -> dict[str, str]:
    """File name -> text of every generated file."""
    whole = {**documents(), "asyncapi.json": document()}
    texts = {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in whole.items()}
    return {**texts, "types.d.ts": declarations()}


def checked_in(name: str) -> Path:
    """Where a generated file lives in the package."""
    return _FEED / ("screens/js" if name.endswith(".ts") else "schema") / name


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("--check", action="store_true", help="write nothing; 1 when a file is not up to date")
    parser.add_argument("--to", type=Path, metavar="DIR", help="write into this folder, not into the package")


def run(args: argparse.Namespace) -> int:
    """Write or compare the files. 1: with --check, some are out of date or missing; or a file cannot be written."""
    stale = 0
    for name, text in files().items():
        path = args.to / name if args.to else checked_in(name)
        if args.check:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                sys.stderr.write(f"flowmon: {path} is not up to date: run `flowmon schema` and commit it\n")
                stale += 1
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            sys.stderr.write(f"flowmon: {path} cannot be written: {error.strerror}; choose another folder with --to\n")
            return 1
        sys.stdout.write(f"{path}\n")
    return 1 if stale else 0
