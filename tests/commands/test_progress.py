"""How far a film is: a bar on a terminal, lines elsewhere, and nothing if it is to be quiet."""

from contextlib import redirect_stderr

from semcolor.jobs.commands.progress import reporter


def test_on_a_terminal_there_is_a_bar(terminal):
    with redirect_stderr(terminal), reporter(200, quiet=False) as told:
        told(50, 1)
        told(200, 3)
    last = terminal.text().replace("\r", "\n").rstrip().splitlines()[-1]
    assert "━" in last and "200/200 frames · 3 shots · " in last and " fps · left 0:00:00" in last
    assert "\n" not in terminal.getvalue().rstrip("\n").replace("\x1b[?25h", "").strip(), "one line, drawn again"


def test_before_there_is_a_speed_none_is_shown(terminal):
    with redirect_stderr(terminal), reporter(200, quiet=False) as told:
        told(50, 1)  # an earlier run's
    assert "50/200 frames · 1 shots · … fps · left -:--:--" in terminal.text()


def test_elsewhere_there_are_lines_the_last_one_always(capsys):
    with reporter(200, quiet=False) as told:
        told(0, 0)
        told(100, 2)  # sooner than ten seconds after the first line
        told(200, 3)
    said = capsys.readouterr()
    first, last = said.err.splitlines()
    assert said.out == "" and first == "0/200 frames, 0 shots"
    assert last.startswith("200/200 frames, 3 shots, ") and last.endswith(" fps, 0 s left")


def test_the_look_for_own_colours_is_shown(terminal, capsys):
    with redirect_stderr(terminal), reporter(200, quiet=False) as told:
        told.look(120)
    assert "120/200 frames · looking through the film · left" in terminal.text()
    with redirect_stderr(terminal), reporter(200, quiet=False) as told:
        told.look(200)
        told(0, 1)
        told(64, 1)
    assert "64/200 frames · 1 shots · " in terminal.text().replace("\r", "\n").rstrip().splitlines()[-1]
    with reporter(200, quiet=False) as told:
        for done in range(1, 201):
            told.look(done)
    assert capsys.readouterr().err.splitlines() == [
        "looking through the film: 1/200 frames",
        "looking through the film: 200/200 frames",
    ]


def test_quiet_is_quiet(terminal, capsys):
    with redirect_stderr(terminal), reporter(200, quiet=True) as told:
        told.look(200)
        told(200, 3)
    assert terminal.getvalue() == "" and capsys.readouterr() == ("", "")
