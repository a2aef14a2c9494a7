"""What the released code does, in small straightforward NumPy, written from docs/released-code.md.

Nothing here shares a line with the package: convolutions are literal loops with flipped kernels,
the cross-fade is the recursion itself, everything is in double precision.
"""

import pickle

import numpy as np

SCALE, CONTEXT, OVERLAP, FRAME, HOP = 0.3, 30, 25, 1024, 512
PUBLISHED_SHAPES = [
    (50, 1, 1, 513), (50,), (50,), (50, 50, 15, 1), (50,), (50,), (800, 128), (128,),
    (128, 800), (800,), (128, 800), (800,), (128, 800), (800,), (4,),
]  # fmt: skip


def random_arrays(seed, dtype=np.float32):
    """Weights of the size that training gives, so that no source is silent."""
    rng = np.random.default_rng(seed)
    arrays = []
    for shape in PUBLISHED_SHAPES:
        if len(shape) == 1:
            arrays.append(rng.uniform(0, 0.1, shape).astype(dtype))
        else:
            n_in, n_out = np.prod(shape[1:]), shape[0]
            if len(shape) == 2:
                n_in, n_out = shape
            limit = np.sqrt(6 / (n_in + n_out))
            arrays.append(rng.uniform(-limit, limit, shape).astype(dtype))
    return arrays


def write_python2_pickle(path, arrays):
    """As Python 2 with NumPy 1 wrote it: module names and byte strings of that time."""
    data = pickle.dumps(arrays, protocol=2)
    data = data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    path.write_bytes(data)
    return path


def window():
    """Symmetric Blackman-Harris."""
    from scipy.signal import get_window

    return get_window("blackmanharris", FRAME, fftbins=False)


def stft(x, win=None):
    """Frames by frames."""
    win = window() if win is None else win
    n_frames = int(np.ceil(len(x) / HOP)) + 2
    padded = np.concatenate([np.zeros(HOP), x, np.zeros(FRAME + 2 * HOP)])
    return np.array([np.fft.rfft(win * padded[i * HOP : i * HOP + FRAME]) for i in range(n_frames)])


def istft(spectrum, n_samples, win=None):
    """Windowed overlap-add, divided by the overlap-added squared window."""
    win = window() if win is None else win
    total = np.zeros(len(spectrum) * HOP + FRAME)
    norm = np.zeros_like(total)
    for i, frame in enumerate(spectrum):
        total[i * HOP : i * HOP + FRAME] += win * np.fft.irfft(frame)
        norm[i * HOP : i * HOP + FRAME] += win**2
    norm[norm == 0] = 1
    return (total / norm)[HOP : HOP + n_samples]


def convolve(x, kernels):
    """Valid true convolution; x (channels, height, width), kernels (out, channels, h, w)."""
    n_out, _, h, w = kernels.shape
    _, height, width = x.shape
    flipped = kernels[:, :, ::-1, ::-1]
    y = np.zeros((n_out, height - h + 1, width - w + 1))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            y[:, i, j] = np.tensordot(flipped, x[:, i : i + h, j : j + w], axes=3)
    return y


def convolve_inverse(y, kernels, shape):
    """Gradient of :func:`convolve` with respect to its input, for an output gradient ``y``."""
    _, _, h, w = kernels.shape
    flipped = kernels[:, :, ::-1, ::-1]
    x = np.zeros(shape)
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            x[:, i : i + h, j : j + w] += np.tensordot(y[:, i, j], flipped, axes=1)
    return x


def rectified(patch, arrays):
    """Outputs of the network before the masks, (4, 30, 513), for one patch (30, 513)."""
    (w1, b1, e1, w2, b2, e2, wb, bb, wv, bv, wbass, bbass, wd, bd, out) = (
        a.astype(np.float64) for a in arrays
    )
    conv1 = convolve(patch[None], w1) + (b1 + e1)[:, None, None]  # (50, 30, 1)
    conv2 = convolve(conv1, w2) + (b2 + e2)[:, None, None]  # (50, 16, 1)
    code = np.maximum(conv2.reshape(-1) @ wb + bb, 0)
    channels = []
    for weight, bias in ((wv, bv), (wbass, bbass), (wd, bd), (wbass, bbass)):
        hidden = np.maximum(code @ weight + bias, 0).reshape(50, 16, 1)
        back = convolve_inverse(hidden, w2, (50, 30, 1))
        channels.append(convolve_inverse(back, w1, (1, 30, 513))[0])
    return np.maximum(np.array(channels) + out[:, None, None], 0)


def soft_masks(y, noise, epsilon=1e-8):
    """Masks (4, 30, 513) of rectified outputs."""
    raised = y + epsilon * noise
    return raised / raised.sum(axis=0)


def separate(x, arrays, win=None, reach=OVERLAP):
    """A mono mixture to four stems (4, n_samples), as the training script separates.

    With a Hann window and ``reach=CONTEXT`` as the stand-alone script does: frames that no patch
    reaches are dropped, and what they would have made is silence.
    """
    noise = np.random.default_rng(99).uniform(0.01, 1, (CONTEXT, 513))
    spectrum = stft(x, win)
    magnitude = np.abs(spectrum) / np.sqrt(FRAME) * SCALE
    n_frames = len(magnitude)
    joined, start = None, 0
    while start + reach < n_frames:
        patch = np.zeros((CONTEXT, 513))
        piece = magnitude[start : start + CONTEXT]
        patch[: len(piece)] = piece
        estimate = soft_masks(rectified(patch, arrays), noise) * patch
        if joined is None:
            joined = estimate
        else:
            fade = np.linspace(0, 1, OVERLAP)[:, None]
            old, new = joined[:, start : start + OVERLAP], estimate[:, :OVERLAP]
            crossed = old * (1 - fade) + new * fade
            joined = np.concatenate([joined[:, :start], crossed, estimate[:, OVERLAP:]], axis=1)
        start += CONTEXT - OVERLAP
    joined = joined[:, :n_frames] / SCALE * np.sqrt(FRAME)
    phase = np.exp(1j * np.angle(spectrum[: joined.shape[1]]))
    stems = [istft(j * phase, len(x), win) for j in joined]
    return np.array([np.pad(stem, (0, len(x) - len(stem))) for stem in stems])


def loss(estimates, targets, *, released=True, alpha=0.001, beta=0.01, beta_voc=0.03):
    """Loss of a batch and its terms; arrays (n, 4, 30, 513)."""
    s = {
        (i, j): np.sum((estimates[:, i].astype(float) - targets[:, j]) ** 2)
        for i in range(4)
        for j in range(4)
    }
    v, b, d, o = range(4)
    reconstruction = s[v, v] + s[b, b] + s[d, d] + (0 if released else s[o, o])
    different = s[v, b] + s[v, d] + s[b, v] + s[b, d] + s[d, v] + s[d, b]
    total = reconstruction - alpha * different - beta * (s[b, o] + s[d, o]) - beta_voc * s[v, o]
    return abs(total) if released else total


def loss_and_gradients(arrays, mixture, targets, noise):
    """Loss of a batch and its gradient by each array, by hand, in double precision.

    The released loss; ``mixture`` (n, 30, 513), ``targets`` (n, 4, 30, 513), ``noise`` (30, 513).
    """
    w1, b1, e1, w2, b2, e2, wb, bb, wv, bv, wbass, bbass, wd, bd, out = (
        a.astype(np.float64) for a in arrays
    )
    n, x = len(mixture), mixture.astype(np.float64)
    k1, k2 = w1[:, 0, 0, ::-1], w2[:, :, ::-1, 0]  # (50, 513), (50 out, 50 in, 15)

    def windows(a):  # (n, 30, c) -> (n, 16, c, 15)
        return np.lib.stride_tricks.sliding_window_view(a, 15, axis=1)

    def spread(a):  # conv2 inverse, (n, 16, 50) -> (n, 30, 50)
        total = np.zeros((n, 30, 50))
        for k in range(15):
            total[:, k : k + 16] += a @ k2[:, :, k]
        return total

    # forward
    c1 = x @ k1.T + b1 + e1
    c2 = np.einsum("nsck,ock->nso", windows(c1), k2, optimize=True) + b2 + e2
    flat = c2.transpose(0, 2, 1).reshape(n, 800)
    code_in = flat @ wb + bb
    code = np.maximum(code_in, 0)
    decoders = []
    for weight, bias in ((wv, bv), (wbass, bbass), (wd, bd)):
        hidden_in = code @ weight + bias
        hidden = np.maximum(hidden_in, 0).reshape(n, 50, 16).transpose(0, 2, 1)
        decoders.append((weight, hidden_in, hidden, spread(hidden)))
    y_in = np.stack([decoders[i][3] @ k1 for i in (0, 1, 2, 1)], axis=1) + out[:, None, None]
    raised = np.maximum(y_in, 0) + 1e-8 * noise
    total = raised.sum(axis=1, keepdims=True)
    masks = raised / total
    estimates = masks * x[:, None]
    value = loss(estimates, targets)

    # backward, from the loss to the rectified outputs
    v, b, d, o = range(4)
    weights = {(i, i): 1.0 for i in (v, b, d)}
    weights |= {(i, j): -0.001 for i in (v, b, d) for j in (v, b, d) if i != j}
    weights |= {(b, o): -0.01, (d, o): -0.01, (v, o): -0.03}
    d_estimates = np.zeros_like(estimates)
    signed = 0
    for (i, j), weight in weights.items():
        difference = estimates[:, i] - targets[:, j]
        d_estimates[:, i] += 2 * weight * difference
        signed += weight * np.sum(difference**2)
    d_estimates *= np.sign(signed)
    d_masks = d_estimates * x[:, None]
    d_y = (d_masks - (d_masks * masks).sum(axis=1, keepdims=True)) / total * (y_in > 0)

    # decoders
    d_k1, d_k2, d_code = np.zeros_like(k1), np.zeros_like(k2), np.zeros_like(code)
    d_decoders = []
    for channel, (weight, hidden_in, hidden, back) in enumerate(decoders):
        d_channel = d_y[:, channel] + (d_y[:, o] if channel == b else 0)  # Q1
        d_k1 += np.einsum("ntc,ntf->cf", back, d_channel, optimize=True)
        around = windows(d_channel @ k1.T)
        d_k2 += np.einsum("nso,nsck->ock", hidden, around, optimize=True)
        d_hidden = np.einsum("nsck,ock->nso", around, k2, optimize=True)
        d_hidden = d_hidden.transpose(0, 2, 1).reshape(n, 800) * (hidden_in > 0)
        d_decoders += [code.T @ d_hidden, d_hidden.sum(axis=0)]
        d_code += d_hidden @ weight.T

    # encoder
    d_code *= code_in > 0
    d_c2 = (d_code @ wb.T).reshape(n, 50, 16).transpose(0, 2, 1)
    d_k2 += np.einsum("nso,nsck->ock", d_c2, windows(c1), optimize=True)
    d_c1 = spread(d_c2)
    d_k1 += np.einsum("ntc,ntf->cf", d_c1, x, optimize=True)
    d_b1, d_b2 = d_c1.sum(axis=(0, 1)), d_c2.sum(axis=(0, 1))
    gradients = [
        d_k1[:, None, None, ::-1], d_b1, d_b1, d_k2[:, :, ::-1, None], d_b2, d_b2,
        flat.T @ d_code, d_code.sum(axis=0), *d_decoders, d_y.sum(axis=(0, 2, 3)),
    ]  # fmt: skip
    return value, gradients


def adadelta(arrays, mixture, targets, noise, n_steps):
    """Losses before each step, and the arrays after all of them."""
    arrays = [a.astype(np.float64) for a in arrays]
    squared = [np.zeros_like(a) for a in arrays]
    deltas = [np.zeros_like(a) for a in arrays]
    losses = []
    for _ in range(n_steps):
        value, gradients = loss_and_gradients(arrays, mixture, targets, noise)
        losses.append(value)
        for k, g in enumerate(gradients):
            squared[k] = 0.95 * squared[k] + 0.05 * g**2
            delta = g * np.sqrt(deltas[k] + 1e-6) / np.sqrt(squared[k] + 1e-6)
            deltas[k] = 0.95 * deltas[k] + 0.05 * delta**2
            arrays[k] = arrays[k] - 1.0 * delta
    return losses, arrays
