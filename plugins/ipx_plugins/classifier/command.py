import click
@click.group()
def classifier() -> None:
    """x"""
