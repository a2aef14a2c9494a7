"""What a checkpoint says of its run."""

from helpers.mutations import TEXTS, all_refused, mutated, one_line_or_fine

from hiphopss.training.checkpoints import Recorded, Run, _write_log
from hiphopss.util.records import parse_record

ROW = {"epoch": 1, "loss": 0.5, "seconds": 2.0}
RUN = {"settings": {"seed": 0, "init": None}, "log": [ROW, ROW | {"epoch": 2, "loss": 1}]}


def parsed(text):
    return parse_record(text, Recorded, origin="c.h5", mend="use --restart")


def test_runs_that_go_on_have_a_log_that_can_be_written(tmp_path):
    """Which rows are written again to the byte: numbers of epochs stay whole."""
    refused = 0
    for text in mutated(RUN):
        before = one_line_or_fine(parsed, text)
        refused += before is None
        if before is not None and before.log:
            run = Run(before.settings, [*before.log, dict(before.log[-1])])
            assert run.epochs_done > 1
            _write_log(tmp_path / "log.csv", run.log)
            assert not run.best_epoch
    assert refused > 100
    all_refused(parsed, TEXTS)
    all_refused(parsed, ['{"settings": {}, "log": [{"epoch": 1}]}', '{"settings": {}}'])
    assert parsed('{"settings": {}, "log": []}').log == []
    assert repr(parsed(b'{"settings": {}, "log": [{"epoch": 1, "loss": 1.0}]}').log) == (
        "[{'epoch': 1, 'loss': 1.0}]"
    )
