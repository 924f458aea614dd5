"""Weights after each of some steps: PyTorch's SGD and AdamW on two groups, Paddle's RMSProp in float64."""

import numpy as np
import torch

from .record import Record

SIZE, BORDER, STEPS = 50, 30, 6
RATES, DECAYS = (0.01, 0.1), (0.0, 0.05)
MAX_NORM = 3.0


def run_torch(make, start, gradients, clip):
    groups = [torch.nn.Parameter(torch.tensor(part)) for part in np.split(start, [BORDER])]
    optimizer = make([dict(params=[p], lr=lr, weight_decay=wd) for p, lr, wd in zip(groups, RATES, DECAYS)])
    after = []
    for gradient in gradients:
        for parameter, part in zip(groups, np.split(gradient, [BORDER])):
            parameter.grad = torch.tensor(part)
        if clip:
            torch.nn.utils.clip_grad_norm_(groups, MAX_NORM)
        optimizer.step()
        after.append(np.concatenate([p.detach().numpy() for p in groups]))
    return np.array(after)


def run_paddle_rmsprop(start, gradients, rho=0.95, epsilon=1e-6, momentum=0.0):
    """g += decay·w; r = rho·r + (1 - rho)·g²; v = momentum·v + lr·g / sqrt(r + epsilon); w -= v."""
    w = start.astype(np.float64)
    rate = np.where(np.arange(SIZE) < BORDER, *RATES)
    decay = np.where(np.arange(SIZE) < BORDER, *DECAYS)
    r, v, after = np.zeros(SIZE), np.zeros(SIZE), []
    for gradient in gradients.astype(np.float64):
        g = gradient + decay * w
        r = rho * r + (1 - rho) * g * g
        v = momentum * v + rate * g / np.sqrt(r + epsilon)
        w = w - v
        after.append(w)
    return np.array(after, np.float32)


def average(weights, start, decay=0.9):
    mean, after = start.astype(np.float64), []
    for w in weights.astype(np.float64):
        mean = decay * mean + (1 - decay) * w
        after.append(mean)
    return np.array(after, np.float32)


def write(out):
    rng = np.random.default_rng(11)
    start = rng.normal(0, 1, SIZE).astype(np.float32)
    gradients = rng.normal(0, 1, (STEPS, SIZE)).astype(np.float32)
    gradients[1] *= 1e-4  # where eps inside and outside the root differ
    record = Record(out / "optimizers.txt", "weights after each step, two groups")
    record.add("start", start)
    record.add("gradients", gradients)
    sgd = lambda **extra: lambda groups: torch.optim.SGD(groups, **extra)
    adamw = lambda groups: torch.optim.AdamW(groups, betas=(0.9, 0.99), eps=1e-8)
    record.add("plain", run_torch(sgd(), start, gradients, False))
    momentum = run_torch(sgd(momentum=0.9), start, gradients, False)
    record.add("momentum", momentum)
    record.add("momentum.average", average(momentum, start))
    record.add("clipped", run_torch(sgd(momentum=0.9), start, gradients, True))
    record.add("nesterov", run_torch(sgd(momentum=0.9, nesterov=True), start, gradients, False))
    record.add("adamw", run_torch(adamw, start, gradients, False))
    record.add("rmsprop", run_paddle_rmsprop(start, gradients))
    record.add("rmsprop_momentum", run_paddle_rmsprop(start, gradients, momentum=0.9))
    record.save()
