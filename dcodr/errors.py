"""The one exception that means "the input is wrong", as opposed to a defect of the program."""


class UserError(ValueError):
    """Input that cannot be used: a file, a setting, a label.

    Its message is shown to the user as it stands, without a traceback, and the command exits with code 2.
    It says what was received, where (file, line, key) and what to do.
    """
