"""The network in other frameworks, to be measured against; see ``bench/peers_bench.py``."""
