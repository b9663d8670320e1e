"""Trains the bundled network, 3 x 3 convolutions that tell ten shapes apart, on what pictures.ts has drawn."""

import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

CLASSES = 10
EPOCHS = 16
BATCH = 128
RATE = 6e-3  # the highest

here = Path(__file__).parent
target = here.parent.parent / "assets" / "shapes.onnx"


def load(name):
    """Pictures as the model gets them, [N, 3, 32, 32] from 0 to 1, and their classes."""
    pictures = torch.from_numpy(np.load(here / "data" / f"{name}.npy"))
    return pictures.permute(0, 3, 1, 2).float() / 255, torch.arange(len(pictures)) % CLASSES


def network():
    """Six convolutions, the third and the fifth of which halve width and height."""
    layers = OrderedDict()
    before = 3
    for number, (channels, stride) in enumerate([(24, 1), (24, 1), (48, 2), (48, 1), (80, 2), (80, 1)], 1):
        layers[f"conv{number}"] = nn.Conv2d(before, channels, 3, stride, padding=1, bias=False)
        layers[f"norm{number}"] = nn.BatchNorm2d(channels)
        layers[f"relu{number}"] = nn.ReLU()
        before = channels
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["dense"] = nn.Linear(before, CLASSES)
    return nn.Sequential(layers).to(memory_format=torch.channels_last)


def turned(batch):
    """Each half of a batch may be mirrored and turned by quarters: shapes stay what they are."""
    halves = []
    for half in batch.chunk(2):
        half = torch.rot90(half, int(torch.randint(4, ())), (2, 3))
        halves.append(half.flip(3) if torch.rand(()) < 0.5 else half)
    return torch.cat(halves).contiguous(memory_format=torch.channels_last)


def train(model, pictures, classes):
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.02)
    steps = EPOCHS * (len(pictures) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.2)
    start = time.time()
    for epoch in range(EPOCHS):
        losses = []
        order = torch.randperm(len(pictures))
        for chosen in order[: len(order) // BATCH * BATCH].split(BATCH):
            loss = nn.functional.cross_entropy(model(turned(pictures[chosen])), classes[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}, {time.time() - start:.0f} s", flush=True)


def accuracy(model, pictures, classes):
    with torch.no_grad():
        found = torch.cat([model(batch).argmax(1) for batch in pictures.split(500)])
    return (found == classes).float().mean().item()


def folded(model):
    """The same network with the norms in the weights before them."""
    layers = OrderedDict(model.named_children())
    for number in range(1, 7):
        layers[f"conv{number}"] = fuse_conv_bn_eval(layers[f"conv{number}"], layers.pop(f"norm{number}"))
    return nn.Sequential(layers)


torch.set_num_threads(2)
torch.manual_seed(1)
torch.use_deterministic_algorithms(True)
model = network()
train(model, *load("train"))
model.eval()
print(f"accuracy: {100 * accuracy(model, *load('test')):.2f} %")
target.parent.mkdir(exist_ok=True)
torch.onnx.export(
    folded(model),
    torch.zeros(1, 3, 32, 32),
    target,
    opset_version=13,
    input_names=["input"],
    output_names=["logits"],
    dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}},
)
