"""Heads that serve several levels with one set of weights."""

import torch
import torch.nn.functional as F
from torch import nn

from .backbones import Plain
from .common import CLASSES, PRIORS, ConvBn


class Retina(nn.Module):
    """RetinaNet: lateral 1x1 convolutions, top-down Adds, one tower of convolutions for all levels. With `own_bn`
    the convolutions are shared but each level has its own BatchNormalization (EfficientDet)."""

    def __init__(self, own_bn=False, c=12):
        super().__init__()
        self.body = Plain()
        self.lat = nn.ModuleList([nn.Conv2d(16, c, 1), nn.Conv2d(20, c, 1)])
        self.smooth = ConvBn(c, c, 3, 1, g=c, act=None)
        self.towers = nn.ModuleList(nn.ModuleList(nn.Conv2d(c if i == 0 else 10, 10, 1) for i in range(2))
                                    for _ in range(2))
        self.bns = nn.ModuleList(nn.ModuleList(nn.ModuleList(nn.BatchNorm2d(10) if own_bn else nn.Identity() for _ in range(2))
                                               for _ in range(2)) for _ in range(2))
        self.ends = nn.ModuleList([nn.Conv2d(10, PRIORS * 4, 1), nn.Conv2d(10, PRIORS * CLASSES, 1)])

    def forward(self, x):
        c3, c4 = self.body(x)
        p4 = self.lat[1](c4)
        p3 = self.smooth(self.lat[0](c3) + F.interpolate(p4, scale_factor=2.0, mode="nearest"))
        results = []
        for tower, end, columns, bns in zip(self.towers, self.ends, (4, CLASSES), self.bns):
            rows = []
            for level, p in enumerate((p3, p4)):
                for i, conv in enumerate(tower):
                    p = F.relu(bns[level][i](conv(p)))
                rows.append(end(p).permute(0, 2, 3, 1).reshape(1, -1, columns))
            results.append(torch.cat(rows, 1))
        return tuple(results)
