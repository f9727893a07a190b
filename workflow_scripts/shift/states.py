"""How far hidden states moved: centroids in the plane of the first two principal components.

For each layer the states of both models at the end of the same prompts are put together; the plane
of their largest variance is found, and the distance of the two centroids in it is told in units of
the base's own spread there.
"""

from typing import Any

import numpy as np

HALVES = 100  # random halves of the prompts


def plane(states: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean [d], two axes [2, d] of both models' states [N, d] together, and the variance's share.

    By the Gram matrix, whose size is that of the prompts: 2N x 2N in place of d x d.
    """
    both = np.concatenate([states, others]).astype(np.float64)
    mean = both.mean(0)
    centred = both - mean
    values, vectors = np.linalg.eigh(centred @ centred.T)
    top = np.argsort(values)[::-1][:2]
    scale = np.sqrt(np.maximum(values[top], 1e-300))
    axes = (vectors[:, top] / scale).T @ centred
    total = float(np.maximum(values, 0).sum())
    return mean, axes, float(np.maximum(values[top], 0).sum() / total) if total else 0.0


def layer_rows(
    states: np.ndarray, base: np.ndarray, again: np.ndarray, seed: int
) -> list[dict[str, Any]]:
    """Rows of STATES from states [N, layers, d] of the model, its base, and the base once more."""
    draws = np.random.default_rng(seed)
    halves = [draws.permutation(len(base)) for _ in range(HALVES)]
    return [
        _row(layer + 1, states[:, layer], base[:, layer], again[:, layer], halves)
        for layer in range(base.shape[1])
    ]


def _row(
    layer: int, states: np.ndarray, base: np.ndarray, again: np.ndarray, halves: list[np.ndarray]
) -> dict[str, Any]:
    mean, axes, explained = plane(base, states)
    points, own, second = ((x.astype(np.float64) - mean) @ axes.T for x in (states, base, again))
    centre, half = own.mean(0), len(own) // 2
    apart = [own[order[:half]].mean(0) - own[order[half:]].mean(0) for order in halves if half]
    return {
        "layer": layer,
        "explained": explained,
        "distance": float(np.linalg.norm(points.mean(0) - centre)),
        "spread": float(np.sqrt(((own - centre) ** 2).sum(1).mean())),
        "null_distance": float(np.linalg.norm(second.mean(0) - centre)),
        "halves_distance": float(np.mean(np.linalg.norm(apart, axis=1))) if apart else None,
        "base_points": own.astype(np.float32).tolist(),
        "points": points.astype(np.float32).tolist(),
    }
