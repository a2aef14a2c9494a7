"""Live separation: equal to the offline one, any blocks, constant delay."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import both_networks, magnitudes, masks_of
from helpers.streams import STEREO, stream

from hiphopss import PRESETS, HiphopssError, SignalConfig
from hiphopss.live.stream import StreamingSeparator
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.keras_masks import KerasNetwork
from hiphopss.network.spec import array_shapes, fit_arrays
from hiphopss.network.streaming import StreamingNetwork, position_weights
from hiphopss.separation.engines import ENGINES
from hiphopss.separation.separator import Separator
from hiphopss.signal.transform import istft, magnitude, stft
from hiphopss.weights.files import load_model, read_weights

CONFIG = SignalConfig()
HOP_1 = replace(CONFIG, overlap=CONFIG.context - 1)  # a patch begins at every frame


@pytest.fixture(scope="module")
def hop_1(published):
    """By engine, the offline network with a patch at every frame."""
    info, arrays = read_weights(published)
    fitted = fit_arrays(arrays, array_shapes(info.config, info.fidelity), origin="")
    return {
        "numpy": NumpyNetwork(fitted, HOP_1, info.fidelity),
        "keras": KerasNetwork(load_model(published)[0], HOP_1),
    }


def offline(network, waveform, lookahead, average):
    """All patches of the whole signal, each weighted by position; silence before and after."""
    spectrum = stft(waveform, CONFIG)  # (n_channels, n_frames, n_bins)
    frames = magnitude(spectrum.mean(axis=0), CONFIG) * np.float32(CONFIG.scale)
    before, n_frames = CONFIG.context - 1, len(frames)
    frames = np.pad(frames, [(before, 0), (0, 0)])
    weights = position_weights(CONFIG, lookahead, average=average)
    masks = network.joined_masks(frames, np.tile(weights, (n_frames + lookahead, 1)))
    masks = masks[:, None, before : before + n_frames]
    return istft(masks * spectrum, waveform.shape[-1], CONFIG)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("lookahead", [0, 3, 29])
def test_equals_the_offline_separation_with_the_same_lookahead(
    network, hop_1, lookahead, average, engine
):
    separator = StreamingSeparator(network, lookahead=lookahead, average=average)
    expected = offline(hop_1[engine], STEREO, lookahead, average)
    found = stream(separator, STEREO)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(STEREO).max())
    assert np.abs(expected).max(axis=(1, 2)).min() > 0.01  # no stem is silent


def test_full_lookahead_weighted_as_the_cross_fade_is_the_separator(network, hop_1, monkeypatch):
    """The one recursive cross-fade of patches at every frame, seen from both sides."""
    from hiphopss.network import streaming as streaming_network
    from hiphopss.signal.patches import crossfade_weights

    faded = crossfade_weights(HOP_1, n_before=29, n_patches=1, n_after=29)[0]
    monkeypatch.setattr(streaming_network, "position_weights", lambda *_, **__: faded)
    # A patch says nothing of its first frame: the fade begins with 0. So 28 frames are enough.
    found = stream(StreamingSeparator(network, lookahead=28), STEREO)
    separator = Separator(hop_1["numpy"], HOP_1, PRESETS["released"])
    blocks = list(separator.stems([STEREO.T]))
    expected = np.concatenate(blocks, axis=1).swapaxes(1, 2)
    # The first and last frames of a song have fewer patches there, here some that hear silence.
    inside = slice(30 * 512, -31 * 512)
    assert expected[..., inside].shape[-1] > 5000
    np.testing.assert_allclose(found[..., inside], expected[..., inside], atol=1e-6)


@pytest.mark.parametrize("fidelity", ["released", "corrected"])
def test_a_step_gives_the_masks_of_the_last_patch(fidelity):
    _, network = both_networks(PRESETS[fidelity])
    frames = magnitudes(45, CONFIG.bins)
    for lookahead in (0, 7, 29):
        streaming = StreamingNetwork(network, lookahead=lookahead, average=False)
        for frame in frames:
            masks = streaming.step(frame)
        expected = masks_of(network, frames[None, -30:])[0, :, -1 - lookahead]
        # masks of nearly silent outputs are ill-determined, and few
        errors = np.abs(masks - expected)
        assert np.quantile(errors, 0.99) < 1e-5
        np.testing.assert_allclose(masks.sum(axis=0), 1, atol=1e-6)


def test_the_way_a_stream_is_cut_does_not_matter(network):
    for lookahead in (0, 4):
        separator = StreamingSeparator(network, lookahead=lookahead)
        expected = stream(separator, STEREO, [512])
        for sizes in ([1, 7, 512, 3000, 1023], [100000], [513]):
            np.testing.assert_array_equal(stream(separator, STEREO, sizes), expected)
    few = StreamingSeparator(network).process(STEREO[:, :0])
    assert few.shape == (4, 2, 0)
    one = StreamingSeparator(network)
    singly = np.concatenate([one.process(STEREO[:, i : i + 1]) for i in range(3000)], axis=-1)
    np.testing.assert_array_equal(singly, StreamingSeparator(network).process(STEREO[:, :3000]))


@pytest.mark.parametrize(
    ("lookahead", "multiple", "latency"),
    [(0, 1, 1023), (0, 512, 512), (0, 256, 768), (5, 1, 3583), (29, 1024, 15360)],
)
def test_the_latency_is_what_is_reported(network, lookahead, multiple, latency):
    separator = StreamingSeparator(
        network, lookahead=lookahead, channels=1, block_multiple=multiple
    )
    assert separator.latency == latency
    assert separator.latency_seconds == pytest.approx(latency / 44100)
    impulse = np.zeros((1, 32768), np.float32)
    impulse[0, 5000] = 1
    blocks = np.split(impulse, 32768 // max(multiple, 128), axis=1)
    total = np.concatenate([separator.process(b) for b in blocks], axis=-1).sum(axis=0)[0]
    assert np.argmax(total) == 5000 + latency
    assert total.max() == pytest.approx(1, abs=1e-4)
    assert np.abs(np.delete(total, 5000 + latency)).max() < 1e-4


def test_stems_sum_to_the_delayed_mixture(network):
    for lookahead in (0, 10):
        total = stream(StreamingSeparator(network, lookahead=lookahead), STEREO).sum(axis=0)
        # -120 dB: sums and transforms in single precision
        np.testing.assert_allclose(total, STEREO, atol=1e-6)


def test_silence_stays_silence_and_a_reset_forgets(network):
    separator = StreamingSeparator(network, lookahead=2)
    assert not stream(separator, np.zeros((2, 20000), np.float32)).any()
    expected = stream(separator, STEREO)
    separator.process(STEREO[::-1, :3333])
    separator.reset()
    np.testing.assert_array_equal(stream(separator, STEREO), expected)


def test_bad_blocks_are_refused_and_the_stream_goes_on(network):
    separator = StreamingSeparator(network, block_multiple=512)
    expected = StreamingSeparator(network, block_multiple=512).process(STEREO[:, :2048])
    first = separator.process(STEREO[:, :1024])
    broken = STEREO[:, 1024:2048].copy()
    broken[1, 700] = np.nan
    loud = STEREO[:, 1024:2048].astype(np.float64)
    loud[1, 700] = -1e300  # infinite in single precision
    for block, told in [
        (broken, "not finite"),
        (loud, "beyond 1e"),
        (np.float32(1e35) * STEREO[:, 1024:2048], "beyond 1e"),  # its masks would not be finite
        (STEREO[:, :511], "multiples of 512"),
        (STEREO[:1], r"shape \(2, n\)"),
        (STEREO[0], r"shape \(2, n\)"),
        (np.zeros((2, 512), np.int16), "floating-point"),
    ]:
        with pytest.raises(HiphopssError, match=told):
            separator.process(block)
    again = separator.process(STEREO[:, 1024:2048])
    np.testing.assert_array_equal(np.concatenate([first, again], axis=-1), expected)


@pytest.mark.parametrize("options", [{"lookahead": 30}, {"lookahead": -1}, {"lookahead": 1.5},
                                     {"channels": 0}, {"channels": 9999999},
                                     {"block_multiple": 0}])  # fmt: skip
def test_numbers_out_of_range_are_refused(network, options):
    with pytest.raises(HiphopssError, match="give"):
        StreamingSeparator(network, **options)


@pytest.mark.slow
def test_an_hour_without_drift():
    """The same few seconds, over and over: the last time they sound as the second, to the bit.

    At a low rate and with long frames, so that an hour has fewer of them, and without the network,
    which is not under test.
    """
    rate = 8000
    config = SignalConfig(sample_rate=rate, frame=8192, hop=4096)
    fidelity = PRESETS["released"]
    shapes = array_shapes(config, fidelity)
    zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    separator = StreamingSeparator(NumpyNetwork(zeros, config, fidelity), lookahead=1, channels=1)
    fixed = np.random.default_rng(0).dirichlet(np.ones(4), config.bins).T.astype(np.float32)
    separator._network.step = lambda magnitudes: fixed
    period = 4096 * 31
    loop = np.tile(STEREO[:1], 7)[:, :period]
    blocks = np.array_split(loop, 5, axis=1)
    n_in = n_out = 0
    while n_in < 3600 * rate:
        stems = [separator.process(block) for block in blocks]
        if n_in == period:
            second = np.concatenate(stems, axis=-1)
        n_in += period
        n_out += sum(s.shape[-1] for s in stems)
    assert n_out == n_in
    np.testing.assert_array_equal(np.concatenate(stems, axis=-1), second)
    # The masks sum to 1, so what comes out is what went in, a latency ago.
    np.testing.assert_allclose(
        second.sum(axis=0), np.roll(loop, separator.latency, axis=1), atol=1e-6
    )


def test_memory_does_not_grow_with_the_stream(network):
    separator = StreamingSeparator(network, lookahead=5)
    held = []
    tracemalloc.start()
    for turn in range(1500):
        separator.process(STEREO[:, :700])
        if turn in (50, 1499):
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[1] - held[0] < 10_000  # bytes; one hop of the stems is 16,384
