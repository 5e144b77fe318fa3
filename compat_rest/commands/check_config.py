"""`sync-gateway check-config`: the settings as the gateway would use them."""

from compat_rest.commands.terminal import (
    ConfigOption,
    load_settings,
    out,
    print_error,
    print_errors_as_one_line,
)


def check_config(config: ConfigOption = None) -> None:
    """Check the settings of a file and of the environment, and print them without secrets."""
    from schema.server.settings_loading import list_warnings
    from schema.server.settings_masking import mask_settings
    from schema.server.tls import check_certificate

    with print_errors_as_one_line():
        settings = load_settings(config)
        check_certificate(settings.server.tls)
    for warning in list_warnings():
        print_error(warning)
    out.print_json(data=mask_settings(settings))
