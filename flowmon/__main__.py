"""`flowmon VERB`: the composition root. Each verb is a module with `arguments(parser)` and `run(args) -> exit code`.

Modules are imported only when their verb is used, so that `flowmon check` needs no Kafka client.
"""

import argparse
import importlib
import os
import sys

from flowmon import __version__
from flowmon.errors import FlowmonError, VenueInvalid

#: verb -> (module, one line of help)
VERBS = {
    "demo": ("simulator.demo", "a simulated museum in your browser, from one command"),
    "run": ("streams.local", "watch a real museum, everything in one process"),
    "feed": ("flowmon.feed.follow", "serve the screens from Kafka"),
    "archive": ("flowmon.history.archive", "write findings from Kafka to PostgreSQL"),
    "check": ("flowmon.venue.check", "check a venue file, all problems at once"),
    "record": ("flowmon.recording.record", "save a part of the journal as a recording"),
    "learn": ("flowmon.learn", "what a recording shows of each counter: its kind, direction, restarts and clock"),
    "info": ("flowmon.recording.info", "what is in a recording"),
    "cut": ("flowmon.recording.cut", "cut a piece out of a recording"),
    "replay": ("flowmon.recording.replay", "play a recording again: to MQTT, Kafka, a feed, or nowhere"),
    "explain": ("flowmon.explain", "why a room's number is what it is, now or at any moment of the journal"),
    "score": ("flowmon.scoring", "how good the numbers are on data with the truth in it, beside their baselines"),
    "calibrate": ("flowmon.calibration", "what each receiver hears in each room, from a walk of two minutes a room"),
    "schema": ("flowmon.schema", "write JSON Schema, AsyncAPI and types.d.ts of the contract"),
    "decode": ("sensors.decode", "what the device dialects read in a message kept in a file"),
    "import": ("sensors.imports.verb", "a device's own CSV export to a recording, with a report of what was skipped"),
    "map": ("sensors.mapping.verb", "test a mapping file, which reads a sensor without Python; list those shipped"),
    "dialects": ("sensors.families", "which device families are read, and what is known of each"),
    "rejects": ("streams.rejects", "messages that could not be read: by reason, one of them, or all again"),
    "doctor": ("flowmon.doctor", "what is wrong with this installation and what to do"),
}


#: What a verb needs of a folder that the domain must not import, by name.
COMPOSED = {
    "replay": {"mqtt_publisher": "simulator.publish:Publisher"},
    "explain": {"checkpoint": "streams.snapshots:load"},
}


def main(argv: list[str] | None = None) -> int:
    """Run one verb; the exit code is 0 when it did what was asked."""
    parser = argparse.ArgumentParser(prog="flowmon", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--version", action="version", version=f"flowmon {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    arguments = sys.argv[1:] if argv is None else argv
    chosen = next((word for word in arguments if word in VERBS), None)
    for verb, (module, line) in VERBS.items():
        verb_parser = verbs.add_parser(verb, help=line, description=line)
        if verb == chosen:
            importlib.import_module(module).arguments(verb_parser)
            verb_parser.set_defaults(**COMPOSED.get(verb, {}))
    args = parser.parse_args(arguments)
    try:
        return int(importlib.import_module(VERBS[args.verb][0]).run(args))
    except VenueInvalid as error:
        print(f"flowmon: the venue file has problems:\n{error}", file=sys.stderr)
    except FlowmonError as error:
        print(f"flowmon: {error}", file=sys.stderr)
    except BrokenPipeError:  # `flowmon info REC | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
