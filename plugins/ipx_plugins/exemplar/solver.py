"""Exemplar-based filling: what is missing is copied from where its surroundings occur elsewhere.

The next place is the one at the border of the hole of highest priority. The source is the patch,
known as a whole, that differs least from what is known of the patch there (sum of squares, with
Gaussian weights for single pixels).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from ipx import Diagonal, PlanError, Problem, Shape, Solver, State, using
from ipx_plugins.exemplar import ExemplarOptions
from ipx_plugins.exemplar.library import patches_of

_FLOOR = 1e-3  # data term of the priority where no edge meets the border


class Exemplar(Solver[ExemplarOptions, State]):
    """Order structure: Criminisi, Perez, Toyama 2004. Order pixels: Efros, Leung 1999.

    The priority of structure is C D: C the mean confidence of the known part of the patch, D how
    steeply an edge runs into the hole (equations 1 to 4). A pixel is missing where one of its
    channels is. With the option ``pictures`` patches of other pictures are copied, too. Outside of
    automatic differentiation.

    Raises:
        PlanError: no patch is known as a whole, and there are no other pictures.
        InputError: the other pictures cannot be read.
    """

    iterations = 1
    one_shot = True

    def init(self, problem: Problem) -> State:
        """The start, after a check that there are patches to copy."""
        if self.options.pictures is not None:
            return State(problem.start())
        side = self._side
        seen = self._seen(problem).all(1, keepdim=True)
        wide = functional.pad(seen.to(problem.y), (side // 2,) * 4)
        whole = (functional.avg_pool2d(wide, side, 1) > 1 - 0.5 / side**2).flatten(1).any(1)
        if not bool((whole | seen.flatten(1).all(1)).all()):
            raise PlanError(
                f"exemplar finds no patch of {side} x {side} pixels that is known as a whole; take "
                "smaller patches, or another method such as harmonic"
            )
        return State(problem.start())

    @property
    def _side(self) -> int:
        """Side of the patches, odd."""
        return 2 * (self.options.patch // 2) + 1

    def memory(self, image_shape: Shape, itemsize: int = 4) -> float:
        """That of the patches of the picture, and of the other pictures."""
        o = self.options
        others = 2 * o.patches * image_shape[0] * self._side**2 if o.pictures is not None else 0
        return super().memory(image_shape, itemsize) + itemsize * others

    @staticmethod
    def _seen(problem: Problem) -> Tensor:
        """True for known values, ``(B, C, H, W)``."""
        y = problem.y
        d = using(problem.operator, Diagonal).diagonal(y).expand(problem.image_shape)
        known, trusted = (d != 0).expand_as(y), problem.noise.trusted(y)
        return known if trusted is None else known & trusted

    def step(self, problem: Problem, state: State) -> State:
        """The filled picture."""
        y = problem.noise.centred(problem.y)
        d = using(problem.operator, Diagonal).diagonal(y).expand(state.x.shape[1:])
        seen = self._seen(problem)
        x = torch.where(seen, y / torch.where(seen, d, 1.0), 0.0).detach()
        filled = [self._filled(*pair) for pair in zip(x, seen.all(1), strict=True)]
        return State(torch.where(seen, x, torch.stack(filled)))

    def _filled(self, picture: Tensor, seen: Tensor) -> Tensor:
        """A picture ``(C, H, W)`` whose missing pixels, by the mask ``(H, W)``, are filled in."""
        if bool(seen.all()):
            return picture
        half = self._side // 2
        x = functional.pad(picture[None], (half,) * 4, mode="replicate")[0]
        inside = functional.pad(torch.ones_like(seen), (half,) * 4)
        known = functional.pad(seen, (half,) * 4)
        source = self._source(picture, seen, x, known)
        confidence = known.to(x)
        generator = torch.Generator().manual_seed(self.options.seed)
        while bool((inside & ~known).any()):
            row, column, trust = self._next(x, known, inside, confidence, half)
            spot = (slice(row - half, row + half + 1), slice(column - half, column + half + 1))
            todo = inside[spot] & ~known[spot]
            found = self._match(source, x[:, spot[0], spot[1]], known[spot], generator)
            if self.options.order == "pixels":
                todo = torch.zeros_like(todo)
                todo[half, half] = True
            patch = x[:, spot[0], spot[1]]
            patch[:, todo] = found.view_as(patch)[:, todo]
            known[spot] |= todo
            confidence[spot] = torch.where(todo, trust, confidence[spot])
        return x[:, half:-half, half:-half]

    def _source(self, picture: Tensor, seen: Tensor, x: Tensor, known: Tensor) -> Tensor:
        """The patches to copy, ``(N, C side^2)``: known ones of the padded x, those of others."""
        o, side, found = self.options, self._side, []
        if o.own:
            whole = functional.unfold(known[None, None].to(x), side)[0].amin(0) > 0
            found.append(functional.unfold(x[None], side)[0][:, whole].T)
        if o.pictures is not None:
            told = (side, o.nearest, o.patches, o.seed)
            found.append(patches_of(o.pictures, picture, seen, *told))
        return torch.cat(found).contiguous()

    def _next(
        self, x: Tensor, known: Tensor, inside: Tensor, confidence: Tensor, half: int
    ) -> tuple[int, int, Tensor]:
        """Row, column and confidence of the place to fill next."""
        side = 2 * half + 1
        near = functional.max_pool2d(known[None].to(x), 3, 1, 1)[0] > 0
        border = inside & ~known & near
        mean = functional.avg_pool2d((confidence * known)[None], side, 1, half)[0]
        priority = mean
        if self.options.order == "structure":
            priority = mean * self._edges(x, known)
        priority = torch.where(border, priority, -1.0)
        place = int(priority.argmax())
        row, column = divmod(place, x.shape[-1])
        return row, column, mean[row, column]

    @staticmethod
    def _edges(x: Tensor, known: Tensor) -> Tensor:
        """|direction of the steepest edge nearby . normal of the border|, ``(H, W)``."""
        grey = x.mean(0)
        down, right = torch.zeros_like(grey), torch.zeros_like(grey)
        both = known[2:, 1:-1] & known[:-2, 1:-1]
        down[1:-1, 1:-1] = torch.where(both, (grey[2:, 1:-1] - grey[:-2, 1:-1]) / 2, 0.0)
        both = known[1:-1, 2:] & known[1:-1, :-2]
        right[1:-1, 1:-1] = torch.where(both, (grey[1:-1, 2:] - grey[1:-1, :-2]) / 2, 0.0)
        _, at = functional.max_pool2d((down**2 + right**2)[None], 5, 1, 2, return_indices=True)
        down, right = down.flatten()[at[0]], right.flatten()[at[0]]
        mask = functional.avg_pool2d(known[None].to(x), 3, 1, 1)[0]
        normal = [torch.zeros_like(mask), torch.zeros_like(mask)]
        normal[0][1:-1] = mask[2:] - mask[:-2]
        normal[1][:, 1:-1] = mask[:, 2:] - mask[:, :-2]
        length = (normal[0] ** 2 + normal[1] ** 2).sqrt().clamp_min(1e-6)
        # an edge runs at right angles to the gradient
        return ((right * normal[0] - down * normal[1]) / length).abs() + _FLOOR

    def _match(
        self, source: Tensor, patch: Tensor, known: Tensor, generator: torch.Generator
    ) -> Tensor:
        """The source patch for a place, flat."""
        weight = known.to(patch)
        if self.options.order == "pixels":
            weight = weight * _window(patch.shape[-1]).to(patch)
        weight = weight.expand_as(patch).flatten()
        target = patch.flatten()
        # sum w (s - p)^2 without the part that is the same for all
        score = (source**2) @ weight - 2 * source @ (weight * target) + weight @ target**2
        best = score.min()
        if self.options.order == "structure" or self.options.tolerance == 0:
            return source[int(score.argmin())]
        near = (score <= (1 + self.options.tolerance) * best.clamp_min(1e-9)).nonzero()[:, 0]
        return source[int(near[torch.randint(len(near), (1,), generator=generator)])]


def _window(side: int) -> Tensor:
    """Gaussian weights of standard deviation side / 6.4, ``(side, side)``."""
    at = torch.arange(side, dtype=torch.float64) - side // 2
    line = torch.exp(-0.5 * (at / (side / 6.4)) ** 2)
    return torch.outer(line, line) / math.fsum(line.tolist()) ** 2
