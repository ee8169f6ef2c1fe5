# mypy: ignore-errors
# ruff: noqa: N802, N805, RUF059
"""The mistakes."""

import torch

from ipx import (
    DataGrad,
    Generator,
    LinearOperator,
    Model,
    Noise,
    NoOptions,
    Prior,
    Solver,
    State,
    Tuner,
    image_sum,
    using,
)


class OneImage(Prior[NoOptions]):
    def denoise(self, x, sigma):
        return 0.9 * x[0]


class Unpacks(Prior[NoOptions]):
    def denoise(self, x, sigma):
        _, height, width = x.shape
        return x


class Array(Prior[NoOptions]):
    def denoise(self, x, sigma):
        return 0.9 * x.numpy()


class Nothing(Prior[NoOptions]):
    def denoise(self, x, sigma):
        0.9 * x


class NoSigma(Prior[NoOptions]):
    def denoise(self, x):
        return 0.9 * x


class Misspelt(Prior[NoOptions]):
    def denoize(self, x, sigma):
        return 0.9 * x


class NoSelf(Prior[NoOptions]):
    def denoise(x, sigma):
        return 0.9 * x


class NoArgument(Prior[NoOptions]):
    def __init__(self):
        super().__init__()

    def denoise(self, x, sigma):
        return 0.9 * x


class Foreign:
    def __init__(self, options):
        self.options = options

    def denoise(self, x, sigma):
        return 0.9 * x


def Function(x, sigma):
    return 0.9 * x


class OneValue(Prior[NoOptions]):
    def value(self, x):
        return 0.5 * (x**2).sum()

    def grad(self, x):
        return x


class OneGradient(Prior[NoOptions]):
    def value(self, x):
        return 0.5 * image_sum(x**2)

    def grad(self, x):
        return x[0]


class OneProx(Prior[NoOptions]):
    def prox(self, x, t):
        return 0.5 * x[0]


class NoProx(Prior[NoOptions]):
    pass


class OneForward(LinearOperator[NoOptions]):
    def forward(self, x):
        return x[0]

    def adjoint(self, y):
        return y


class OneAdjoint(LinearOperator[NoOptions]):
    def forward(self, x):
        return x

    def adjoint(self, y):
        return y.mean(0)


class NoAdjoint(LinearOperator[NoOptions]):
    def forward(self, x):
        return x

    def transpose(self, y):
        return y


class NoDataShape(LinearOperator[NoOptions]):
    def forward(self, x):
        return x[..., ::2]

    def adjoint(self, y):
        return y.repeat_interleave(2, -1)


class NoState(Solver[NoOptions, State]):
    def init(self, problem):
        return State(problem.start())

    def step(self, problem, state):
        return state.x - using(problem.data, DataGrad).grad(state.x)


class OneStep(NoState):
    def step(self, problem, state):
        return State(super().step(problem, state)[0])


class NoInit(Solver[NoOptions, State]):
    def step(self, problem, state):
        return state


class Total(Noise[NoOptions]):
    def sample(self, clean, generator):
        return clean

    def nll(self, pred, y):
        return ((pred - y) ** 2).sum() / 2

    def grad(self, pred, y):
        return pred - y


class OnePicture(Generator[NoOptions]):
    def make(self, pictures, size, count, seed):
        return torch.zeros(1, 8, 8)


class NoMake(Generator[NoOptions]):
    pass


class Losses(Model[NoOptions]):
    colors = 1

    def network(self):
        return torch.nn.Conv2d(1, 1, 1)

    def loss(self, net, batch, rng):
        return (net(batch) - batch).flatten(1).square().mean(1)


class NoNetwork(Losses):
    def network(self):
        super().network()


class NoRng(Losses):
    def loss(self, net, batch):
        return super().loss(net, batch, None).mean()


class Number(Tuner[NoOptions]):
    def tune(self, problem, solve):
        return 0.1
