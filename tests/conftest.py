"""Fixtures that tests of several rooms share."""

from tests.gpu_machine import machine

__all__ = ["machine"]
