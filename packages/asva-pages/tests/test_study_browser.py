"""A study in a real browser: three raters at once, one of whom leaves and returns; keys, a phone, what fails."""

import threading
import time

import pytest

from asva_pages import Raters, begin_study, listen, serve_study, write_study_results

PHONE = {"width": 360, "height": 740}
ORDER = ["bright", "grey", "dark"]


@pytest.fixture
def raters(tmp_path, rated_systems):
    begin_study(tmp_path / "study", rated_systems, trials=3, checks=1, seed=2)
    return Raters(tmp_path / "study")


@pytest.fixture
def address(raters):
    """The address of a study that runs."""
    found = []
    words = (raters, listen("127.0.0.1", 0), "127.0.0.1")
    threading.Thread(target=serve_study, args=words, kwargs={"on_ready": found.append}, daemon=True).start()
    while not found:
        time.sleep(0.01)
    return found[0]


@pytest.fixture
def visit(chromium, address):
    """Open the page as somebody else, on a phone if asked; what went wrong in it is collected."""
    contexts, said = [], []

    def visit(viewport=None):
        context = chromium.new_context(**({"viewport": viewport, "has_touch": True} if viewport else {}))
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert said == []


def becomes(page, condition):
    """Whether a condition comes true within some seconds; the page's policy forbids Playwright's own way to wait."""
    for _ in range(1200):
        if page.evaluate(condition):
            return True
        page.wait_for_timeout(50)
    return False


def enter(page, name):
    page.fill("#rater", name)
    page.click("#enter")
    assert becomes(page, "!pair.hidden || !end.hidden")


def watch(page):
    """Play both to their ends; the hint says so."""
    assert becomes(page, "hint.textContent.startsWith('Play both')")
    page.keyboard.press("Space")
    assert becomes(page, "hint.textContent.startsWith('Answer')")


def answers_of(raters, name, count):
    """Whether so many trials of a rater are on the disk."""
    return len(raters.answers(name)[1]) == count


def rate(page, raters, name):
    """Answer the trial that is shown, by keys, as the rank of systems and attention demand."""
    trials, given = raters.answers(name)
    place = len(given)
    assert becomes(page, f"progress.textContent == '{place} of {len(trials)} pairs answered'")
    trial = trials[place]
    left_better = trial.spoilt == "right" or (not trial.spoilt and ORDER.index(trial.left) < ORDER.index(trial.right))
    watch(page)
    for _ in raters.study.questions:
        page.keyboard.press("a" if left_better else "b")
    page.keyboard.press("Enter")
    assert becomes(page, f"progress.textContent == '{place + 1} of {len(trials)} pairs answered'")
    assert answers_of(raters, name, place + 1)


@pytest.mark.slow
def test_three_rate_at_once_and_one_leaves_and_returns(visit, raters):
    pages = {"ann": visit(), "ben": visit(), "cem": visit()}
    for name, page in pages.items():
        enter(page, name)
    for name, page in pages.items():
        rate(page, raters, name)
    pages.pop("ben").context.close()
    for _ in range(3):
        for name, page in pages.items():
            rate(page, raters, name)
    back = visit()  # another browser
    enter(back, "ben")
    for _ in range(3):
        rate(back, raters, "ben")
    for page in (*pages.values(), back):
        assert becomes(page, "!end.hidden && pair.hidden")
    pages["ann"].reload()
    assert becomes(pages["ann"], "!end.hidden && who.textContent == 'ann'")
    found = write_study_results(raters.folder)
    assert all(one["answered"] == 4 and one["counts"] and one["passed"] == 1 for one in found["raters"])
    for one in found["questions"].values():
        rates = {name: told["win_rate"]["value"] for name, told in one["systems"].items()}
        assert one["votes"] == 9 and rates["bright"] == 1 and rates["dark"] == 0


def test_a_phone_is_wide_enough_and_fingers_do(visit, raters):
    page = visit(PHONE)
    enter(page, "ann")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert becomes(page, "hint.textContent.startsWith('Play both')")
    page.tap("#both")
    assert becomes(page, "hint.textContent.startsWith('Answer')")
    assert page.locator("#next").is_disabled()
    for box in page.locator("fieldset").all():
        box.get_by_role("button", name="equal").tap()
    page.tap("#next")
    assert becomes(page, "progress.textContent.startsWith('1 of')")
    assert set(raters.answers("ann")[1][0]["answers"].values()) == {"same"}
    box = page.locator("#next").bounding_box()
    assert box["y"] < PHONE["height"] and box["width"] > 120


def test_what_fails_is_said_and_not_believed(visit, raters):
    page = visit()
    page.fill("#rater", "a b")
    page.click("#enter")
    assert becomes(page, "!problem.hidden && problem.textContent.startsWith('`rater` must be')")
    enter(page, "ann")
    watch(page)
    for key in "asb":
        page.keyboard.press(key)
    page.evaluate("void (window.fetch = () => Promise.reject(new TypeError('no connection')))")
    page.keyboard.press("Enter")
    assert becomes(page, "problem.textContent.startsWith('It is not saved: The server does not answer')")
    assert page.evaluate("progress.textContent.startsWith('0 of')") and answers_of(raters, "ann", 0)
    assert page.locator("[aria-pressed=true]").count() == 3


def test_videos_that_do_not_play_can_be_passed_over(visit, raters):
    trial = raters.study.plan(0)[0]
    raters.study.keys[raters.study.key(trial.clip, trial.left, spoilt=trial.spoilt == "left")] = ("gone.mp4", False)
    page = visit()
    enter(page, "ann")
    assert becomes(page, "!lacking.hidden && lacking.textContent.includes('gone.mp4')")
    page.click("#skip")
    assert becomes(page, "progress.textContent.startsWith('1 of') && lacking.hidden")
    assert raters.answers("ann")[1][0]["answers"] == {}
