"""What the page needs to separate songs on the visitor's device, and to work without a network.

- ``models``: weights in the format of the page's own engine.
- ``offline``: what makes an exported page an app: policy, manifest and service worker.
- ``icons``: its icons.

May import :mod:`hiphopss.demo`, :mod:`hiphopss.weights` and :mod:`hiphopss.util`.
"""
