// One clip at a time: what is decided goes to the server first, and the page goes on once it is saved.

import { PATIENCE, ask, complain, find } from "./ask.js";
import { bind, prepare, reason } from "./player.js";

const video = find("video"), from = find("from"), until = find("until");
const WIDTH = 600, HEIGHT = 60, STEP = 0.04, LEAST = 0.1;
let clips = [], place = 0, saving = false;

const now = () => clips[place];
const length = (clip) => clip.end - clip.start;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const round = (seconds) => Math.round(seconds * 1000) / 1000;

function counted() {
  const kept = clips.filter((clip) => clip.decision?.kind === "keep").length;
  const dropped = clips.filter((clip) => clip.decision?.kind === "drop").length;
  find("progress").textContent = `${kept + dropped} of ${clips.length} decided: ${kept} kept, ${dropped} dropped`;
  find("bar").max = clips.length;
  find("bar").value = kept + dropped;
}

function marked() {
  const { decision, start, end } = now();
  const trimmed = decision?.kind === "keep" && (decision.start > start || decision.end < end);
  find("mark").textContent = decision ? (decision.kind === "drop" ? "dropped" : trimmed ? "kept, trimmed" : "kept") : "";
  find("mark").className = decision?.kind ?? "";
  find("undo").disabled = !decision;
}

function bounds() { // in seconds of the small copy, which begins with the clip
  return [Number(from.value) - now().start, Number(until.value) - now().start];
}

function setBounds(start, end) {
  const clip = now();
  const [first, last] = [round(clamp(start, clip.start, clip.end)), round(clamp(end, clip.start, clip.end))];
  for (const field of [from, until]) [field.min, field.max] = [clip.start, clip.end];
  from.value = first;
  until.value = last;
  const [a, b] = bounds();
  find("part").setAttribute("x", (WIDTH * a) / length(clip));
  find("part").setAttribute("width", Math.max(0, (WIDTH * (b - a)) / length(clip)));
}

function follow() {
  const [a, b] = bounds();
  if (!video.paused && b > a && (video.currentTime >= b || video.currentTime < a - STEP)) video.currentTime = a;
  const x = (WIDTH * video.currentTime) / length(now());
  find("head").setAttribute("x1", x);
  find("head").setAttribute("x2", x);
  find("time").textContent = `${(now().start + video.currentTime).toFixed(2)} s`;
  if (!video.paused) requestAnimationFrame(follow);
}

function draw(id, points, low, high, seconds) {
  const places = (points ?? []).map(([time, value]) =>
    `${((WIDTH * time) / seconds).toFixed(1)},${(HEIGHT - 2 - (HEIGHT - 4) * clamp((value - low) / (high - low || 1), 0, 1)).toFixed(1)}`);
  find(id).setAttribute("points", places.join(" "));
}

async function curves(clip) {
  for (const id of ["sound", "motion"]) draw(id, [], 0, 1, 1);
  const found = await ask(`curves/${clip.key}`);
  if (clip !== now()) return;
  draw("sound", found.level, -70, 0, length(clip));
  draw("motion", found.pixel, 0, Math.max(5, ...(found.pixel ?? []).map(([, value]) => value)), length(clip));
}

function show(wanted) {
  place = clamp(wanted, 0, clips.length - 1);
  const clip = now();
  find("name").textContent = clip.name;
  find("label").textContent = clip.label;
  find("path").textContent = `${clip.path}, ${clip.start.toFixed(2)} to ${clip.end.toFixed(2)} s`;
  find("place").value = place + 1;
  find("place").max = clips.length;
  find("previous").disabled = place === 0;
  find("next").disabled = place === clips.length - 1;
  setBounds(clip.decision?.start ?? clip.start, clip.decision?.end ?? clip.end);
  marked();
  complain("");
  complain("", "lacking");
  video.src = `clips/${clip.key}`;
  video.play().catch(() => { // browsers ask for a key before there is sound
    if (clip === now() && !clip.decision) find("mark").textContent = "space plays it";
  });
  curves(clip).catch((error) => clip === now() && complain(`Its curves cannot be drawn: ${error.message}`, "lacking"));
}

function seek(seconds) {
  video.pause();
  video.currentTime = clamp(seconds, 0, video.duration || length(now()));
}

function nextOpen() {
  const order = clips.map((_, step) => (place + 1 + step) % clips.length);
  const found = order.find((index) => !clips[index].decision);
  if (found !== undefined) show(found);
  return found !== undefined;
}

async function decide(kind) {
  if (saving) return;
  const clip = now(), whole = kind !== "keep";
  const [start, end] = whole ? [clip.start, clip.end] : [Number(from.value), Number(until.value)];
  if (end - start < LEAST) return complain(`A clip must last ${LEAST} s: move its beginning or its end.`);
  saving = true;
  try {
    const found = await ask("decisions", "POST", { key: clip.key, kind, start, end }, PATIENCE);
    clip.decision = found.decision;
    counted();
    marked();
    complain("");
    if (kind === "open") setBounds(clip.start, clip.end);
    else if (clip === now() && !nextOpen()) find("mark").textContent += "; every clip is decided";
  } catch (error) {
    complain(`It is not saved: ${error.message}`);
  } finally {
    saving = false;
  }
}

const acts = {
  keep: () => decide("keep"),
  drop: () => decide("drop"),
  undo: () => now().decision && decide("open"),
  play: () => (video.paused ? video.play().catch((error) => complain(error.message)) : video.pause()),
  begin: () => setBounds(now().start + video.currentTime, Math.max(Number(until.value), now().start + video.currentTime)),
  end: () => setBounds(Math.min(Number(from.value), now().start + video.currentTime), now().start + video.currentTime),
  whole: () => setBounds(now().start, now().end),
  previous: () => show(place - 1),
  next: () => show(place + 1),
  open: () => nextOpen(),
  back: () => seek(video.currentTime - STEP),
  forth: () => seek(video.currentTime + STEP),
  mute: () => { video.muted = !video.muted; },
};
const keys = { k: "keep", d: "drop", u: "undo", " ": "play", i: "begin", o: "end", w: "whole", ArrowLeft: "previous",
  ArrowRight: "next", n: "open", ",": "back", ".": "forth", m: "mute" };

bind(acts, keys, ["keep", "drop", "undo"]);
for (const field of [from, until]) field.addEventListener("change", () => setBounds(Number(from.value), Number(until.value)));
find("place").addEventListener("change", () => show(Number(find("place").value) - 1));
find("line").addEventListener("pointerdown", (event) => {
  const box = find("line").getBoundingClientRect();
  seek((length(now()) * (event.clientX - box.left)) / box.width);
});
video.addEventListener("play", marked);
for (const name of ["play", "seeked", "timeupdate"]) video.addEventListener(name, follow);
video.addEventListener("error", async () => {
  const clip = now(), text = await reason(`clips/${clip.key}`);
  if (clip === now()) complain(`No video: ${text}`, "lacking"); // in a place of its own: it must not hide what is not saved
});
video.addEventListener("canplaythrough", () => {
  const following = clips[place + 1];
  if (following && !following.ready) prepare(`clips/${following.key}`);
  if (following) following.ready = true;
});

ask("state").then((found) => {
  clips = found.clips;
  document.title = `Review by ${found.reviewer}`;
  find("total").textContent = clips.length;
  counted();
  place = -1;
  if (!nextOpen()) show(0);
}).catch((error) => complain(`The page cannot be filled: ${error.message}`));
