"""`python -m tests.benchmarks`: Django is set up first, since what is measured imports models."""

import os
from importlib import import_module

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "menshun.settings")
    django.setup()
    import_module("tests.benchmarks.command").main()
