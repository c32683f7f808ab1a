"""Where the figures of the README come from: `run` has the commands, `lib` what they share, `eval` the public data sets."""
