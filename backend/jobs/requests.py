"""Whether what a person asks for can run."""

from collections.abc import Collection, Mapping

from backend.errors import InvalidError, NotFoundError
from backend.jobs import architectures
from backend.jobs.data_sets import check_elsewhere, data_folder
from backend.jobs.job import ANY, Resources, servers_in
from backend.jobs.placement import Placement
from backend.servers.server import Server
from backend.settings import Home
from models import places
from models.command import Command
from models.recipe import Recipe

DEFAULT = Resources()


class Requests:
    """A server is chosen by its name, by several names with commas between them, or by `any`."""

    def __init__(
        self, home: Home, servers: Mapping[str, Server], takes_jobs: Collection[str], placement: Placement
    ) -> None:
        """`takes_jobs` are the servers with an engine."""
        self._home = home
        self._servers = servers
        self._takes_jobs = takes_jobs
        self._placement = placement

    def checked(
        self, server: str, work: Recipe | Command, resources: Resources = DEFAULT
    ) -> Recipe | Command:
        """The recipe with its depth filled in, or the command; with the folders of this machine found.

        Raises:
            NotFoundError: there is no such server.
            InvalidError: it takes no jobs, there is no such architecture, data, folder or environment, or no
                server has what the job needs.
        """
        if isinstance(work, Recipe):
            return self.checked_recipe(server, work, resources)
        return self._checked_command(self._able(server, resources), work)

    def checked_recipe(self, server: str, recipe: Recipe, resources: Resources = DEFAULT) -> Recipe:
        """Does what `checked` does, for a recipe."""
        servers = self._able(server, resources)
        recipe = architectures.check(recipe)
        for name in servers:
            if self._servers[name].is_here:
                folder = str(data_folder(self._home, recipe.data))
                # On several servers a name means the data set of that name on each of them.
                is_named_everywhere = len(servers) > 1 and places.is_name(recipe.data)
                recipe = recipe if is_named_everywhere else recipe.model_copy(update={"data": folder})
            else:
                check_elsewhere(name, recipe.data)
        return recipe

    def servers_for(self, choice: str) -> tuple[str, ...]:
        """The servers that `choice` means now.

        Raises:
            NotFoundError: there is no such server.
            InvalidError: one of them takes no jobs, or none is named.
        """
        names, able = servers_in(choice), tuple(self._takes_jobs)
        if names == (ANY,):
            if not able:
                raise InvalidError("No server takes jobs.", "Set `ray = true` for one in servers.toml.")
            return able
        if not names or ANY in names:
            raise InvalidError(f"{choice!r} names no server.", "Write a name, `gpu1,gpu2` or `any`.")
        for name in names:
            if name not in self._servers:
                raise NotFoundError(
                    f"There is no server {name!r}.", f"Choose one of {', '.join(self._servers)}."
                )
            if name not in able:
                others = ", ".join(able) or "none yet"
                raise InvalidError(f"{name} is only watched: it takes no jobs.", f"Those that do: {others}.")
        return names

    def data_here(self, data: str) -> str:
        """The folder on this machine that a recipe's `data` means; `data` itself where there is none."""
        return str(places.data_folder(data, self._home.path) or data)

    def _able(self, server: str, resources: Resources) -> tuple[str, ...]:
        """The chosen servers, one of which at least has what the job needs."""
        servers = self.servers_for(server)
        if never := self._placement.never(servers, resources):
            raise InvalidError(f"The job cannot run: {never}.", "Ask for less, or choose another server.")
        return servers

    def _checked_command(self, servers: Collection[str], command: Command) -> Command:
        for name in servers:
            known = self._servers[name]
            if command.environment and command.environment not in known.environments:
                others = ", ".join(known.environments) or "none yet"
                raise InvalidError(
                    f"{name} has no environment {command.environment!r}.",
                    f"servers.toml names these there: {others}.",
                )
            if known.is_here:
                folder = places.expanded(command.folder)
                if not folder.is_dir():
                    raise InvalidError(
                        f"There is no folder {command.folder!r} on {name}.", "Give its full path."
                    )
                if len(servers) == 1:
                    command = command.model_copy(update={"folder": str(folder)})
        return command
