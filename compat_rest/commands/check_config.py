"""`sync-gateway check-config`: the settings as the gateway would use them."""

from compat_rest.commands.terminal import ConfigOption, errors_as_one_line, load_settings, out


def check_config(config: ConfigOption = None) -> None:
    """Check the settings of a file and of the environment, and print them without secrets."""
    with errors_as_one_line():
        settings = load_settings(config)
    out.print_json(settings.model_dump_json())
