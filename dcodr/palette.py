"""Colours of the pictures: three of Okabe and Ito, which colour-blind readers can distinguish, and a grey."""

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#6E6E6E"

SKY = "#56B4E9"
"""Replaces the blue on a dark background."""
