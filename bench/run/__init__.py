"""Commands, `python -m bench.run.NAME` from the project's folder. The README of bench says what each measures."""
