"""Training of the depth network, `refocus-depth-s`: made-up scenes, the loss, scores and the file that ships."""
