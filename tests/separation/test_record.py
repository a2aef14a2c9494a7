"""``separation.json`` of any content where stems are to be written, and where they are scored."""

import pytest
import soundfile
from helpers.mutations import TEXTS, all_refused, mutated, one_line_or_fine
from helpers.songs import noise

from hiphopss import SOURCES, HiphopssError
from hiphopss.eval.matching import find_estimates
from hiphopss.separation.files import SeparationSettings, separate_files

RECORD = {
    "model": "HH",
    "weights": "hh.weights.h5",
    "sha256": "0" * 64,
    "preset": "released",
    "config": {"hop": 512, "window": "hann"},
    "fidelity": {"local_shuffle": True},
    "mono": False,
    "loops": "auto",
    "released_test_leak": True,
    "trained_on": ["x", "y"],
}


@pytest.mark.parametrize("text", [b"[1]", b"{", b'{"config": []}', b'{"model": "other"}'])
def test_a_strange_record_keeps_new_stems_out(tmp_path, published, text):
    soundfile.write(tmp_path / "song.wav", noise(3000, 1), 44100)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "separation.json").write_bytes(text)
    with pytest.raises(HiphopssError, match=r"separation\.json: .*choose another output$"):
        separate_files(
            tmp_path / "song.wav", tmp_path / "out", SeparationSettings(published), progress=False
        )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["separation.json"]


def test_estimates_have_a_record_that_can_be_used_or_are_refused(tmp_path):
    for source in SOURCES:
        for root in ("data", "net"):
            (tmp_path / root / "a").mkdir(parents=True, exist_ok=True)
            (tmp_path / root / "a" / f"{source}.wav").write_bytes(b"RIFF")

    def find(text):
        (tmp_path / "net" / "separation.json").write_bytes(text)
        return find_estimates(tmp_path / "data", tmp_path / "net")

    found = [one_line_or_fine(find, text) for text in [*mutated(RECORD)][::7]]
    used = [estimates for estimates in found if estimates]
    assert {type(estimates.model) for estimates in used} == {str}
    assert {type(estimates.trained_on_test) for estimates in used} == {bool}
    assert find(b'{"model": null}').model == find(b"{}").model == "net"
    all_refused(find, TEXTS[:4])
