"""Backbones in PyTorch: each returns two feature maps, 8x8 and 4x4 from a 64x64 input."""

import torch
import torch.nn.functional as F
from torch import nn

from .common import ConvBn


class Basic(nn.Module):
    """ResNet's basic block; with a stride or another width the shortcut is a 1x1 convolution."""

    def __init__(self, cin, cout, s=1, act=nn.ReLU):
        super().__init__()
        self.a, self.b = ConvBn(cin, cout, 3, s, act=act), ConvBn(cout, cout, 3, act=None)
        self.down = ConvBn(cin, cout, 1, s, act=None) if s != 1 or cin != cout else None
        self.act = act()

    def forward(self, x):
        return self.act(self.b(self.a(x)) + (self.down(x) if self.down else x))


class ResNet(nn.Module):
    def __init__(self, act=nn.ReLU):
        super().__init__()
        self.stem = ConvBn(3, 6, 3, 2, act=act)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.l1 = nn.Sequential(Basic(6, 6, act=act), Basic(6, 6, act=act))
        self.l2 = Basic(6, 8, 2, act=act)
        self.l3 = Basic(8, 10, 2, act=act)

    def forward(self, x):
        c2 = self.l2(self.l1(self.pool(self.stem(x))))
        return [c2, self.l3(c2)]


class Inverted(nn.Module):
    """MobileNetV2's block: expand, depthwise, project without activation, Add where shapes allow."""

    def __init__(self, cin, cout, t, s=1, act=nn.ReLU6, se=None, k=3):
        super().__init__()
        mid = cin * t
        self.expand = ConvBn(cin, mid, 1, act=act)
        self.dw = ConvBn(mid, mid, k, s, g=mid, act=act)
        self.se = se(mid) if se else nn.Identity()
        self.project = ConvBn(mid, cout, 1, act=None)
        self.add = s == 1 and cin == cout

    def forward(self, x):
        y = self.project(self.se(self.dw(self.expand(x))))
        return x + y if self.add else y


class MobileNetV2(nn.Module):
    def __init__(self, act=nn.ReLU6, se=None, k=3):
        super().__init__()
        self.stem = ConvBn(3, 6, 3, 2, act=act)
        self.b1 = nn.Sequential(Inverted(6, 8, 2, 2, act), Inverted(8, 8, 2, 1, act, se))
        self.b2 = Inverted(8, 10, 2, 2, act, se, k)
        self.b3 = nn.Sequential(Inverted(10, 12, 2, 2, act, se, k), ConvBn(12, 20, 1, act=act))

    def forward(self, x):
        c3 = self.b2(self.b1(self.stem(x)))
        return [c3, self.b3(c3)]


class Dense(nn.Module):
    """DenseNet: each layer reads everything before it; BatchNormalization stands in front of the convolution."""

    def __init__(self):
        super().__init__()
        self.stem = ConvBn(3, 8, 3, 2)

        def layer(cin, growth):
            return nn.Sequential(nn.BatchNorm2d(cin), nn.ReLU(), nn.Conv2d(cin, 8, 1, bias=False),
                                 nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, growth, 3, padding=1, bias=False))

        self.one = nn.ModuleList(layer(8 + 5 * i, 5) for i in range(3))
        self.between = nn.Sequential(nn.BatchNorm2d(23), nn.ReLU(), nn.Conv2d(23, 12, 1, bias=False), nn.AvgPool2d(2))
        self.two = nn.ModuleList(layer(12 + 5 * i, 5) for i in range(2))
        self.last = nn.Sequential(nn.BatchNorm2d(22), nn.ReLU())

    def grow(self, layers, x):
        for layer in layers:
            x = torch.cat([x, layer(x)], 1)
        return x

    def forward(self, x):
        x = self.between(self.grow(self.one, F.max_pool2d(self.stem(x), 2)))
        c3 = self.last(self.grow(self.two, x))
        return [c3, F.avg_pool2d(c3, 2)]


class Csp(nn.Module):
    """CSP/C2f: half of the channels take a side road of residual blocks, all parts are laid side by side."""

    def __init__(self, c, how, n=2):
        super().__init__()
        self.how, self.half = how, c // 2
        self.enter = ConvBn(c, c, act=nn.SiLU)
        self.blocks = nn.ModuleList(nn.Sequential(ConvBn(c // 2, c // 2, 3, act=nn.SiLU)) for _ in range(n))
        self.leave = ConvBn(c // 2 * (n + 2), c, act=nn.SiLU)

    def forward(self, x):
        x = self.enter(x)
        if self.how == "chunk":
            parts = list(x.chunk(2, 1))
        elif self.how == "slice":
            parts = [x[:, : self.half], x[:, self.half:]]
        else:
            parts = list(torch.split(x, [self.half, self.half], 1))
        for block in self.blocks:
            parts.append(block(parts[-1]) + parts[-1])
        return self.leave(torch.cat(parts, 1))


class CspFpn(nn.Module):
    """CSP stages, then a feature pyramid: upsampled maps are concatenated on the way up, added on the way down."""

    def __init__(self, how):
        super().__init__()
        self.stem = ConvBn(3, 6, 3, 2, act=nn.SiLU)
        self.d1, self.c1 = ConvBn(6, 8, 3, 2, act=nn.SiLU), Csp(8, how, 1)
        self.d2, self.c2 = ConvBn(8, 10, 3, 2, act=nn.SiLU), Csp(10, how, 2)
        self.d3 = ConvBn(10, 12, 3, 2, act=nn.SiLU)
        self.spp = ConvBn(36, 12, act=nn.SiLU)
        self.lat = ConvBn(12, 9, act=nn.SiLU)
        self.up = ConvBn(19, 10, act=nn.SiLU)
        self.down = ConvBn(10, 12, 3, 2, act=None)

    def forward(self, x):
        c3 = self.c2(self.d2(self.c1(self.d1(self.stem(x)))))
        c4 = self.d3(c3)
        c4 = self.spp(torch.cat([c4, F.max_pool2d(c4, 3, 1, 1), F.max_pool2d(c4, 5, 1, 2)], 1))
        p3 = self.up(torch.cat([F.interpolate(self.lat(c4), scale_factor=2.0, mode="nearest"), c3], 1))
        return [p3, F.relu(self.down(p3) + c4)]


class ResNext(nn.Module):
    """Grouped 3x3 convolutions (groups 4 and 2) between 1x1 ones, residual Adds."""

    def __init__(self):
        super().__init__()
        self.stem = ConvBn(3, 8, 3, 2)

        def block(cin, mid, cout, g, s):
            return nn.Sequential(ConvBn(cin, mid), ConvBn(mid, mid, 3, s, g=g), ConvBn(mid, cout, act=None))

        self.b1, self.s1 = block(8, 16, 12, 4, 2), ConvBn(8, 12, 1, 2, act=None)
        self.b2 = block(12, 16, 12, 2, 1)
        self.b3, self.s3 = block(12, 16, 16, 4, 2), ConvBn(12, 16, 1, 2, act=None)
        self.b4, self.s4 = block(16, 24, 16, 8, 2), nn.AvgPool2d(2)

    def forward(self, x):
        x = self.stem(x)
        x = F.relu(self.b1(x) + self.s1(x))
        x = F.relu(self.b2(x) + x)
        c3 = F.relu(self.b3(x) + self.s3(x))
        return [c3, F.relu(self.b4(c3) + self.s4(c3))]


class Multiplier(nn.Module):
    """Depthwise convolutions that make two channels of each (groups = inputs, outputs = 2 x inputs)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            ConvBn(3, 10, 3, 2), ConvBn(10, 20, 3, 2, g=10), ConvBn(20, 16), ConvBn(16, 32, 3, 2, g=16), ConvBn(32, 16))
        self.more = nn.Sequential(ConvBn(16, 16, 3, 2, g=16), ConvBn(16, 24))

    def forward(self, x):
        c3 = self.layers(x)
        return [c3, self.more(c3)]


class SqueezeConv(nn.Module):
    """Squeeze-excite with 1x1 convolutions."""

    def __init__(self, c, gate=nn.Hardsigmoid, mean=False):
        super().__init__()
        self.squeeze, self.excite, self.gate, self.mean = nn.Conv2d(c, 6, 1), nn.Conv2d(6, c, 1), gate(), mean

    def forward(self, x):
        s = x.mean((2, 3), keepdim=True) if self.mean else F.adaptive_avg_pool2d(x, 1)
        return x * self.gate(self.excite(F.relu(self.squeeze(s))))


class SqueezeLinear(nn.Module):
    """Squeeze-excite with fully connected layers, flattened by view and given back by view."""

    def __init__(self, c):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(c, 6, bias=False), nn.ReLU(), nn.Linear(6, c, bias=False), nn.Sigmoid())

    def forward(self, x):
        b, c, _, _ = x.size()
        s = F.adaptive_avg_pool2d(x, 1).view(b, c)
        return x * self.fc(s).view(b, c, 1, 1)


class SqueezeMean(SqueezeLinear):
    """The same by mean and unsqueezed gates; expand_as as in the well-known re-implementations."""

    def forward(self, x):
        s = x.mean([2, 3])
        return x * self.fc(s)[:, :, None, None].expand_as(x)


class Shuffle(nn.Module):
    """ShuffleNetV2: split, one half through convolutions, concat, channel shuffle by view and transpose."""

    def __init__(self):
        super().__init__()
        self.stem = ConvBn(3, 8, 3, 2)
        self.enter = ConvBn(8, 12, 3, 2)

        def branch(c):
            return nn.Sequential(ConvBn(c, c), ConvBn(c, c, 3, g=c, act=None), ConvBn(c, c))

        self.u1, self.u2 = branch(6), branch(6)
        self.down = ConvBn(12, 14, 1, 2)
        self.wide = nn.Sequential(ConvBn(14, 20), ConvBn(20, 20, 3, g=20), ConvBn(20, 14))
        self.last = ConvBn(14, 14, 1, 2)

    @staticmethod
    def shuffle(x):
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)

    def forward(self, x):
        x = self.enter(self.stem(x))
        for unit in (self.u1, self.u2):
            a, b = x.chunk(2, 1)
            x = self.shuffle(torch.cat([a, unit(b)], 1))
        c3 = self.wide(self.down(x))
        return [c3, self.last(c3)]


class PixelShuffle(nn.Module):
    """Sub-pixel upsampling (DepthToSpace, CRD order) and its inverse at the stem (pixel unshuffle)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), ConvBn(12, 10, 3, 2), ConvBn(10, 12, 3, 2))
        self.deep = ConvBn(12, 16, 3, 2)
        self.up = nn.Sequential(nn.Conv2d(16, 24, 1), nn.PixelShuffle(2), nn.ReLU())
        self.join = ConvBn(18, 12, 1)

    def forward(self, x):
        c3 = self.stem(x)
        c4 = self.deep(c3)
        return [self.join(torch.cat([c3, self.up(c4)], 1)), c4]


class Plain(nn.Module):
    """MobileNetV1 in small: stem, then depthwise and pointwise pairs."""

    def __init__(self, act=nn.ReLU, widths=(8, 12, 16, 20)):
        super().__init__()
        a, b, c, d = widths

        def pair(cin, cout, s):
            return nn.Sequential(ConvBn(cin, cin, 3, s, g=cin, act=act), ConvBn(cin, cout, act=act))

        self.low = nn.Sequential(ConvBn(3, a, 3, 2, act=act), pair(a, b, 2), pair(b, b, 1), pair(b, c, 2), pair(c, c, 1))
        self.high = pair(c, d, 2)

    def forward(self, x):
        c3 = self.low(x)
        return [c3, self.high(c3)]


class Recurrent(nn.Module):
    """One convolution applied three times in a row (its outputs are its inputs), and a pair that shares weights
    between two branches of different input."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(ConvBn(3, 8, 3, 2), ConvBn(8, 12, 3, 2))
        self.again = nn.Conv2d(12, 12, 1)
        self.left, self.right = ConvBn(12, 10, 3, 2), ConvBn(12, 10, 1, 2)
        self.twin = nn.Conv2d(10, 14, 1)
        self.last = ConvBn(14, 16, 1, 2)

    def forward(self, x):
        x = self.stem(x)
        for _ in range(3):
            x = F.relu(self.again(x))
        c3 = F.relu(self.twin(self.left(x))) * 0.5 + torch.tanh(self.twin(self.right(x)))
        return [c3, self.last(c3)]


class Short(nn.Module):
    """Four convolutions, for graphs that grow by quantisation."""

    def __init__(self):
        super().__init__()
        self.low = nn.Sequential(ConvBn(3, 8, 3, 2), ConvBn(8, 12, 3, 2), ConvBn(12, 12, 3, 2, g=12), ConvBn(12, 14))
        self.high = ConvBn(14, 18, 1, 2)

    def forward(self, x):
        c3 = self.low(x)
        return [c3, self.high(c3)]


class ConvNext(nn.Module):
    """7x7 depthwise, then LayerNorm, Linear, GELU, Linear and a layer scale in NHWC, residual Add."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(ConvBn(3, 12, 3, 2), ConvBn(12, 16, 3, 2), ConvBn(16, 10, 1, 2))
        self.dw = nn.Conv2d(10, 10, 7, padding=3, groups=10)
        self.norm = nn.LayerNorm(10)
        self.up, self.down = nn.Linear(10, 24), nn.Linear(24, 10)
        self.gamma = nn.Parameter(torch.ones(10))
        self.high = nn.Sequential(ConvBn(10, 16), ConvBn(16, 14, 1, 2))

    def forward(self, x):
        x = self.stem(x)
        y = self.norm(self.dw(x).permute(0, 2, 3, 1))
        x = x + (self.gamma * self.down(F.gelu(self.up(y)))).permute(0, 3, 1, 2)
        return [x, self.high(x)]


class Norms(nn.Module):
    """GroupNorm (mixes channels), InstanceNorm (doesn't), PReLU a channel, LeakyReLU, Dropout, dilation, ceil mode."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 10, 3, 2, 1, bias=False), nn.BatchNorm2d(10), nn.PReLU(10))
        self.two = nn.Sequential(nn.Conv2d(10, 14, 3, 1, 2, dilation=2), nn.InstanceNorm2d(14, affine=True), nn.LeakyReLU(0.1),
                                 nn.MaxPool2d(3, 2, ceil_mode=True), nn.Dropout(0.3))
        self.group = nn.Sequential(nn.Conv2d(14, 12, 1), nn.GroupNorm(3, 12), nn.PReLU())
        self.mid = nn.Sequential(nn.ReflectionPad2d((1, 0, 1, 0)), nn.Conv2d(12, 16, 3, 2), nn.Softplus())
        self.high = nn.Sequential(nn.ConstantPad2d((0, 1, 0, 1), 0.5), nn.Conv2d(16, 12, 2, 2), nn.Mish())

    def forward(self, x):
        c3 = self.mid(self.group(self.two(self.stem(x))))
        return [c3, self.high(c3)]


class Upsampling(nn.Module):
    """ConvTranspose upsampling, full and depthwise, and a channel attention pooled to 2x2 before its Linear."""

    def __init__(self):
        super().__init__()
        self.low = nn.Sequential(ConvBn(3, 8, 3, 2), ConvBn(8, 12, 3, 2), ConvBn(12, 14, 1, 2))
        self.high = ConvBn(14, 16, 1, 2)
        self.up = nn.Sequential(nn.ConvTranspose2d(16, 12, 2, 2, bias=False), nn.BatchNorm2d(12), nn.ReLU())
        self.smooth = nn.ConvTranspose2d(12, 12, 4, 2, 1, groups=12)
        self.down = ConvBn(12, 10, 1, 2)
        self.gate = nn.Linear(16 * 4, 16)

    def forward(self, x):
        c3 = self.low(x)
        c4 = self.high(c3)
        gate = torch.sigmoid(self.gate(torch.flatten(F.adaptive_avg_pool2d(c4, 2), 1)))
        p3 = torch.cat([self.down(self.smooth(self.up(c4))), c3], 1)
        return [p3, c4 * gate[:, :, None, None]]


class Attention(nn.Module):
    """A transformer block over places between convolutions; its channels are mixed by heads."""

    def __init__(self):
        super().__init__()
        self.low = nn.Sequential(ConvBn(3, 12, 3, 2), ConvBn(12, 16, 3, 2), ConvBn(16, 12, 1, 2))
        self.block = nn.TransformerEncoderLayer(12, 2, 20, 0.0, batch_first=True)
        self.high = nn.Sequential(ConvBn(12, 16), ConvBn(16, 14, 1, 2))

    def forward(self, x):
        c3 = self.low(x)
        n, c, h, w = c3.shape
        c3 = self.block(c3.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(n, c, h, w)
        return [c3, self.high(c3)]


class Glu(nn.Module):
    """A gated linear unit (channel i times sigmoid of channel i + C/2), CReLU (x beside -x), einsum between channels."""

    def __init__(self, einsum=False):
        super().__init__()
        self.stem = nn.Sequential(ConvBn(3, 6, 3, 2, act=None))
        self.wide = nn.Sequential(ConvBn(12, 16, 3, 2), ConvBn(16, 20, 1))
        self.mid = ConvBn(10, 14, 1, 2)
        self.mix = nn.Parameter(torch.ones(14, 12)) if einsum else None
        self.high = ConvBn(12 if einsum else 14, 12, 1, 2)

    def forward(self, x):
        x = self.stem(x)
        x = F.relu(torch.cat([x, -x], 1))
        c3 = self.mid(F.glu(self.wide(x), 1))
        if self.mix is not None:
            c3 = F.relu(torch.einsum("nchw,cd->ndhw", c3, self.mix))
        return [c3, self.high(c3)]
