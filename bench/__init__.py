"""The benchmarks. ``make bench``: how long the main job takes, cold and unchanged, and how rendering grows;
``make bench-api`` (the package `api`): how many requests the API answers, beside its peers.

They never pass or fail by time; they fail where a run breaks, an unchanged one changes something, or an answer is wrong.
"""
