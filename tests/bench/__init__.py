"""`make bench`: what flowmon reaches, as ratios against named peers, each pair measured in one run on one machine."""
