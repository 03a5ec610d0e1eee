"""Colours of the pictures: two of Okabe and Ito, which colour-blind readers tell apart, and a grey."""

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#6E6E6E"
