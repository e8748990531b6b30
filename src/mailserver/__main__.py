"""`python -m mailserver` is the `mailserver` command."""

from mailserver.app.main import main

main(prog_name="mailserver")
