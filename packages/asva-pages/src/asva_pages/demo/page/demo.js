// The page: what is chosen, what is asked for, what comes of it.

import { ask, find } from "./ask.js";
import { Brush } from "./brush.js";
import { Recorder } from "./recorder.js";
import { Results } from "./results.js";
import { Timeline } from "./timeline.js";
import { send } from "./upload.js";

const OFTEN = 400, SELDOM = 15000; // milliseconds between looks, while something is in work and else
const told = document.body.dataset;
const chosen = { sound: null, picture: null };

function fail(error) {
  find("problem").textContent = error.message;
  find("problem").hidden = false;
  find("problem").scrollIntoView({ block: "nearest" });
}

const calm = () => { find("problem").hidden = true; };
const say = (words) => { if (words) find("said").textContent = words; };

// Sound and picture

function take(upload) {
  const kind = upload.kind;
  chosen[kind] = upload;
  const name = find(`${kind}-name`), save = find(`${kind}-save`), preview = `/api/uploads/${upload.id}/preview`;
  const size = kind === "sound" ? `${upload.seconds.toFixed(2)} s` : `${upload.width}×${upload.height}`;
  name.textContent = [`${upload.name}, ${size}.`, ...(upload.notes ?? [])].join(" ");
  name.classList.add("given");
  save.href = `/api/uploads/${upload.id}/original`;
  save.hidden = false;
  if (kind === "sound") {
    find("player").src = preview;
    find("player").hidden = false;
    find("timing-empty").hidden = true;
    find("timing-full").hidden = false;
    timeline.show(upload);
  } else {
    const shown = find("picture-shown");
    shown.src = preview;
    shown.style.aspectRatio = upload.moved ? `${upload.width} / ${upload.height}` : `${told.width} / ${told.height}`;
    shown.classList.toggle("small", upload.height < 256);
    shown.hidden = false;
    find("brush").hidden = find("brush-tools").hidden = !upload.moved;
    brush.over(upload.width, upload.height);
  }
  ready();
}

function ready() {
  const missing = ["sound", "picture"].filter((kind) => !chosen[kind]);
  find("make").disabled = missing.length > 0;
  find("missing").textContent = missing.length ? `Choose a ${missing.join(" and a ")} first.` : "";
}

async function upload(kind, file, name = file.name) {
  calm();
  const bar = find(`${kind}-progress`);
  try {
    if (file.size > Number(told.upload)) throw new Error(`'${name}' has more than ${told.largest}, which is the most that is taken.`);
    bar.hidden = false;
    bar.value = 0;
    const label = find(`${kind}-name`), before = label.textContent;
    const taken = await send(kind, file, name, (share) => {
      if (share < 1) bar.value = share;
      else { bar.removeAttribute("value"); label.textContent = kind === "sound" ? "Listening…" : "Looking…"; }
    }).catch((error) => { label.textContent = before; throw error; });
    take(taken);
    say(`${taken.name} is here.`);
  } catch (error) {
    fail(error);
  } finally {
    bar.hidden = true;
  }
}

for (const kind of ["sound", "picture"]) {
  const input = find(`${kind}-file`), card = find(kind);
  input.addEventListener("change", () => { if (input.files[0]) upload(kind, input.files[0]); input.value = ""; });
  card.addEventListener("dragover", (event) => { event.preventDefault(); card.classList.add("over"); });
  card.addEventListener("dragleave", () => card.classList.remove("over"));
  card.addEventListener("drop", (event) => {
    event.preventDefault();
    card.classList.remove("over");
    if (event.dataTransfer.files[0]) upload(kind, event.dataTransfer.files[0]);
  });
}

for (const button of document.querySelectorAll(".example")) {
  button.addEventListener("click", async () => {
    calm();
    button.disabled = true;
    try {
      (await ask(`/api/examples/${button.dataset.example}`, "POST")).forEach(take);
      say("The example is here.");
    } catch (error) { fail(error); }
    button.disabled = false;
  });
}

const brush = new Brush(find("brush"), (painted) => { find("unpaint").disabled = !painted; });
find("unpaint").addEventListener("click", () => brush.clear());

const recorder = new Recorder(Number(told.seconds), (file, name) => upload("sound", file, name), (seconds) => {
  find("record").setAttribute("aria-pressed", seconds !== null);
  find("record-words").textContent = seconds === null ? "Record" : `Stop, ${seconds.toFixed(0)} s`;
});
find("record").addEventListener("click", async () => {
  calm();
  try { recorder.running ? recorder.end() : await recorder.begin(); } catch (error) { fail(error); }
});

// Timing

const player = find("player");
const timeline = new Timeline(find("timeline"), (words) => {
  say(words);
  if (!timeline.editable) return;
  const { keyframes, sound, edited } = timeline;
  find("count").textContent = words.startsWith("This model") ? words : `${keyframes.length} keyframes, ${edited ? "yours" : "the model's own"}`;
  find("remove").disabled = timeline.chosen < 0;
  find("reset").disabled = !edited;
  find("add").title = sound ? `At the line of the position, ${timeline.position.toFixed(2)} s` : "";
}, (second) => { player.currentTime = second; });

find("add")?.addEventListener("click", () => timeline.add(timeline.position));
find("remove")?.addEventListener("click", () => timeline.remove());
find("reset")?.addEventListener("click", () => timeline.reset());

function follow() {
  if (timeline.sound) timeline.move(player.currentTime);
  if (!player.paused) requestAnimationFrame(follow);
}
player.addEventListener("play", follow);

// Videos

const results = new Results(find("results"), { say, fail, changed: () => look() });
let next = 0;

async function look() {
  clearTimeout(next);
  let wait = SELDOM;
  try {
    const { jobs } = await ask("/api/state");
    results.show(jobs);
    find("videos").hidden = jobs.length === 0;
    find("together").hidden = jobs.filter((job) => job.state === "done").length < 2;
    if (jobs.some((job) => job.state === "waiting" || job.state === "running")) wait = OFTEN;
  } catch (error) { fail(error); }
  next = setTimeout(look, wait);
}

const number = (name) => find(name).value === "" ? null : Number(find(name).value);

find("wish").addEventListener("submit", async (event) => {
  event.preventDefault();
  calm();
  const wrong = find("wish").querySelector("input:invalid");
  if (wrong) { wrong.reportValidity(); return; }
  find("make").disabled = true;
  try {
    const mask = chosen.picture.moved && brush.painted ? await send("mask", await brush.mask(), "region.png", () => {}) : null;
    const job = await ask("/api/jobs", "POST", {
      mask: mask?.id ?? null,
      sound: chosen.sound.id, picture: chosen.picture.id, prompt: find("prompt").value,
      keyframes: timeline.edited ? timeline.keyframes : null, seed: number("seed"), steps: number("steps"), guidance: number("guidance"),
    });
    await look();
    say(`${job.name} is in the queue.`);
    find("videos").scrollIntoView({ block: "nearest" });
  } catch (error) { fail(error); }
  ready();
});
find("together").addEventListener("click", () => results.together());

async function begin() {
  try {
    const { uploads } = await ask("/api/state");
    uploads.filter((upload) => upload.kind !== "mask").forEach(take);
  } catch (error) { fail(error); }
  look();
}
begin();
