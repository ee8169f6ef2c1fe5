"""``ipx doctor``."""

from __future__ import annotations

import click

from ipx_cli import output


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON object on stdout.")
@click.pass_context
def doctor(ctx: click.Context, /, as_json: bool) -> int:
    """Check the installation: plugins, versions, devices, folders.

    The exit status is 1 if a plugin is broken.
    """
    from ipx.host.doctor import diagnose

    # loads the commands of plugins, so that a failing hook is found
    ctx.find_root().command.list_commands(ctx.find_root())  # type: ignore[attr-defined]  # a group
    found = diagnose()
    if as_json:
        output.json_page(found)
        return 0 if found["ok"] else output.FAILED
    rows = [(name, str(value)) for name, value in found["environment"].items()]
    rows.append(("devices", ", ".join(found["devices"])))
    rows.append(("compiler", found["compiler"] or "none found (torch.compile will not work)"))
    for folder, good in found["writable"].items():
        rows.append(("folder", f"{folder} is {'writable' if good else 'not writable'}"))
    rows.append(("plugins", f"{found['plugins']} with {found['components']} components"))
    click.echo(output.table(rows))
    for bad in found["broken"]:
        click.echo(f"\nbroken: {bad['name']} {bad['distribution']}".rstrip() + f": {bad['error']}")
        click.echo("".join(f"    {line}\n" for line in bad["trace"].splitlines()), nl=False)
    click.echo("all is well" if found["ok"] else f"\n{len(found['broken'])} broken")
    return 0 if found["ok"] else output.FAILED
