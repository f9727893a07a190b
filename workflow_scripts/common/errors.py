"""Errors that a user can act on."""


class UserError(Exception):
    """Something in the config, the inputs or the machine that the user has to change.

    The message names the file, row or key, and the fix. Entry scripts print it alone, without a
    traceback, and exit with status 1.
    """


class ConfigError(UserError):
    """A key or value of the configuration is wrong."""


class InputError(UserError):
    """A file or a row that the study was given is wrong."""
