"""How good generated images are: distances between sets of images, fidelity of pairs, recognition."""
