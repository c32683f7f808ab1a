"""Training of the restoration network, `refocus-deblur-s`: pairs made from photos, the loss and the file that ships."""
