"""What the documents say is what the program says."""
import pathlib
import subprocess

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


def test_the_configuration_page_is_the_program_s_reference(linkspan):
    reference = subprocess.run([linkspan, "check", "--reference"], check=True, capture_output=True, text=True).stdout
    assert reference and (DOCS / "configuration.md").read_text().endswith(reference)


def test_every_command_is_on_the_page_and_has_help(linkspan):
    listed = subprocess.run([linkspan, "--help"], check=True, capture_output=True, text=True).stdout
    page = (DOCS / "cli.md").read_text()
    for word in "init serve check run jobs import sql policy audit doctor dev-issuer version".split():
        assert word in listed and word in page
        told = subprocess.run([linkspan, "help", word], check=True, capture_output=True, text=True).stdout
        assert told.startswith(f"usage: linkspan {word}")
