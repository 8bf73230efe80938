"""A small convolutional network for digits of 8 by 8 points, and how it is trained."""

import torch
from torch import nn


class DigitsNet(nn.Module):
    """Two layers of convolution, one of classes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(256, 10),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, 10) scores of (n, 1, 8, 8) images."""
        return self.layers(x)


def train(net: DigitsNet, x: torch.Tensor, y: torch.Tensor, epochs: int) -> None:
    """Adam on the cross-entropy."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    net.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(y)).split(16):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()


@torch.no_grad()
def evaluate(net: DigitsNet, x: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
    """Mean loss in nats, and accuracy."""
    net.eval()
    scores = net(x)
    loss = float(nn.functional.cross_entropy(scores, y))
    return {"loss": loss, "accuracy": float((scores.argmax(1) == y).float().mean())}
