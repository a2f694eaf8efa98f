// Two videos at a time: answers go to the server first, and the page goes on once they are saved.

import { PATIENCE, ask, complain, find } from "./ask.js";
import { bind, prepare, reason } from "./player.js";

const SIDES = ["left", "right"], NAMES = { left: "A", same: "equal", right: "B" };
const KEPT = `asva-study-${location.pathname}`; // the rater's name, kept by the browser
const videos = Object.fromEntries(SIDES.map((side) => [side, find(side)]));
let state, place = 0, marked = 0, given = {}, seen = new Set(), broken = false, inTurn = false, saving = false;

const now = () => state.trials[place];
const asked = () => Object.keys(state.questions);
const answered = () => asked().every((name) => name in given);
const address = (side, trial = now()) => `videos/${trial[side]}`;

function settle() { // whatever follows from what is answered and seen
  const done = state.trials.filter((trial) => trial.answers).length;
  find("progress").textContent = `${done} of ${state.trials.length} pairs answered`;
  find("bar").max = state.trials.length;
  find("bar").value = done;
  const watched = seen.size === 2;
  find("next").disabled = saving || !watched || !answered();
  const loading = SIDES.some((side) => videos[side].readyState < HTMLMediaElement.HAVE_FUTURE_DATA);
  find("hint").textContent = broken ? "" : !watched && loading ? "The videos are on their way." :
    !watched ? "Play both to their ends first." : !answered() ? "Answer every question." : "";
  find("skip").hidden = !broken;
  find("previous").disabled = place === 0;
  for (const box of find("questions").children) {
    box.classList.toggle("marked", box.dataset.name === asked()[marked]);
    for (const button of box.querySelectorAll("button")) button.setAttribute("aria-pressed", given[box.dataset.name] === button.value);
  }
}

function choose(name, answer) {
  given[name] = answer;
  marked = Math.min(asked().indexOf(name) + 1, asked().length - 1);
  settle();
}

function build() {
  find("questions").replaceChildren(...Object.entries(state.questions).map(([name, text]) => {
    const box = document.createElement("fieldset"), legend = document.createElement("legend");
    legend.textContent = text;
    box.dataset.name = name;
    box.append(legend, ...Object.entries(NAMES).map(([answer, words]) => {
      const button = document.createElement("button");
      [button.type, button.value, button.textContent] = ["button", answer, words];
      button.addEventListener("click", (event) => {
        if (event.detail) button.blur(); // pressed by a pointer: keys go on to mean what they say
        choose(name, answer);
      });
      return button;
    }));
    return box;
  }));
}

function show(wanted) {
  place = wanted;
  const over = place >= state.trials.length;
  find("pair").hidden = over;
  find("end").hidden = !over;
  find("door").hidden = true;
  if (over) {
    place = state.trials.length - 1;
    SIDES.forEach((side) => videos[side].pause());
    settle();
    return;
  }
  [given, seen, marked, broken, inTurn] = [{ ...now().answers }, new Set(now().answers ? SIDES : []), 0, false, false];
  complain("", "lacking");
  for (const side of SIDES) videos[side].src = address(side);
  settle();
}

function play(side, thenOther = false) {
  videos[side === "left" ? "right" : "left"].pause();
  inTurn = thenOther;
  videos[side].currentTime = 0;
  videos[side].play().catch((error) => error.name !== "AbortError" && complain(error.message, "lacking"));
}

async function save(answers) {
  if (saving) return;
  saving = true;
  settle();
  try {
    await ask(`raters/${state.rater}/answers`, "POST", { trial: place, answers }, PATIENCE);
    now().answers = answers;
    complain("");
    const open = state.trials.findIndex((trial, index) => index > place && !trial.answers);
    const first = state.trials.findIndex((trial) => !trial.answers);
    saving = false;
    show(open >= 0 ? open : first >= 0 ? first : state.trials.length);
  } catch (error) {
    saving = false;
    complain(`It is not saved: ${error.message}`);
    settle();
  }
}

function begin(found) {
  state = found;
  localStorage.setItem(KEPT, state.rater);
  find("who").textContent = state.rater;
  build();
  const first = state.trials.findIndex((trial) => !trial.answers);
  show(first >= 0 ? first : state.trials.length);
}

const ready = () => state && !find("pair").hidden;
const acts = {
  "play-left": () => play("left"),
  "play-right": () => play("right"),
  both: () => play("left", true),
  next: () => !find("next").disabled && save(given),
  skip: () => save({}),
  previous: () => place > 0 && show(place - 1),
  again: () => show(state.trials.length - 1),
  better: () => choose(asked()[marked], "left"),
  equal: () => choose(asked()[marked], "same"),
  worse: () => choose(asked()[marked], "right"),
  up: () => { marked = Math.max(0, marked - 1); settle(); },
  down: () => { marked = Math.min(asked().length - 1, marked + 1); settle(); },
};
const guarded = Object.fromEntries(Object.entries(acts).map(([name, act]) => [name, () => (ready() || name === "again") && act()]));
bind(guarded, { 1: "play-left", 2: "play-right", " ": "both", Enter: "next", ArrowLeft: "previous", a: "better", s: "equal",
  b: "worse", ArrowUp: "up", ArrowDown: "down" }, ["next", "previous", "better", "equal", "worse"]);

for (const [side, other] of [["left", "right"], ["right", "left"]]) {
  const video = videos[side];
  video.addEventListener("ended", () => {
    seen.add(side);
    if (inTurn && side === "left") play(other);
    settle();
  });
  for (const name of ["play", "pause", "ended"]) video.addEventListener(name, () => video.classList.toggle("playing", !video.paused));
  video.addEventListener("click", () => play(side));
  video.addEventListener("error", async () => {
    const trial = now(), text = await reason(address(side, trial));
    if (trial !== now()) return;
    broken = true;
    complain(`Video ${side === "left" ? "A" : "B"} does not play: ${text}`, "lacking");
    settle();
  });
  for (const name of ["loadstart", "canplay"]) video.addEventListener(name, settle);
  video.addEventListener("canplaythrough", () => {
    const following = state.trials[place + 1];
    if (following && !following.ready) SIDES.forEach((one) => prepare(address(one, following)));
    if (following) following.ready = true;
  });
}

find("door").addEventListener("submit", (event) => {
  event.preventDefault();
  ask("raters", "POST", { rater: find("rater").value }, PATIENCE).then(begin).then(() => complain(""), (error) => complain(error.message));
});
const kept = localStorage.getItem(KEPT);
if (kept) ask(`raters/${encodeURIComponent(kept)}`).then(begin).catch(() => { find("rater").value = kept; });
