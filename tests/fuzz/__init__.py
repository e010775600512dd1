"""`python -m tests.fuzz`: every dialect against any bytes, guided by coverage. Needs atheris; `make test` does not."""
