"""Weights as networks for other programs: Keras, ONNX, LiteRT and the web page.

- ``export``: writing such a file, once it is known to compute what hiphopss computes.
- ``formats``: the formats, and what each needs. ``facts``: what a file says of itself.
- ``parity``: how far a file's masks are from those of the NumPy engine.
- ``onnx_format``, ``keras_format``, ``litert_format``, ``web_format``: the network in each format,
  and running it.

May import :mod:`hiphopss.weights`, :mod:`hiphopss.network`, :mod:`hiphopss.loops` and
:mod:`hiphopss.util`.
"""
