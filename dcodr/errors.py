"""The exceptions that are no defect of the program: the input is wrong, a disk or a training has failed."""


class UserError(ValueError):
    """Input that cannot be used: a file, a setting, a label.

    Its message is shown to the user as it stands, without a traceback, and the command exits with code 2.
    It says what was received, where (file, line, key) and what to do.
    """


class StorageError(UserError):
    """A disk or a folder that failed while it was written to: it is full, gone, or broken.

    What the user asked for was right, so the command exits with code 1.
    """


class DivergedError(RuntimeError):
    """A loss is no longer finite; the message says which and when."""
