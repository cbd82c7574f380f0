"""The names of the analyses of a network."""

WHAT = {
    "filters": "Filters",
    "response": "Response",
    "tuning": "Tuning",
    "strf": "STRF",
    "maps": "Maps",
    "ablate": "Ablation",
    "where": "Where",
    "likes": "Likes",
    "same": "Same",
    "words": "Words",
}
"""Every analysis, in the order in which they are shown, and the first word of its tab."""
