"""Facts to findings, pure: no clock, no I/O, no randomness, no asyncio.

Read `core` first; it calls the others in a fixed order:
intake (what really happened) -> occupancy, flows, queues, visits (how many) -> health -> states (what is said)
-> alerts (who must know).
`presence` runs apart, by beacon, and its results come back as facts.
"""
