// A sound over time, the motion that it calls for, and keyframes that can be moved by mouse, finger and keys.

const NAME = "http://www.w3.org/2000/svg";
const HEIGHT = 216, TOP = 12, BOTTOM = 152, KNOB = 170, LABEL = 206, MARGIN = 16, NARROWEST = 230; // pixels; the last per second

function draw(kind, attributes, parent) {
  const element = document.createElementNS(NAME, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent?.append(element);
  return element;
}

export class Timeline {
  /** @param {HTMLElement} box  @param {(change: string) => void} changed  @param {(second: number) => void} moved */
  constructor(box, changed, moved) {
    Object.assign(this, { box, changed, moved, sound: null, keyframes: [], edited: false, chosen: -1, position: 0 });
    new ResizeObserver(() => this.sound && this.draw()).observe(box);
  }

  /** Another sound, with the model's own keyframes. */
  show(sound) {
    this.sound = sound;
    this.position = 0;
    this.reset();
    this.box.scrollLeft = 0;
  }

  reset() {
    this.keyframes = [...(this.sound.keyframes ?? [])];
    this.edited = false;
    this.chosen = this.keyframes.length > 1 ? 1 : -1;
    this.draw();
    this.changed("");
  }

  get editable() { return this.sound?.keyframes != null; }
  get last() { return (this.sound.curve.length - 1) / this.sound.fps; }
  get full() { return this.sound.seconds <= this.sound.window && this.keyframes.length >= this.sound.most; }

  x(second) { return MARGIN + second * this.scale; }
  second(event) { return (event.clientX - this.svg.getBoundingClientRect().left - MARGIN) / this.scale; }
  frame(second) {
    const frame = Math.round(Math.min(Math.max(second, 0), this.last) * this.sound.fps);
    return Math.round(frame / this.sound.fps * 1e4) / 1e4;
  }

  draw() {
    const { sound, box } = this, hadFocus = this.svg?.contains(document.activeElement) && document.activeElement;
    const focus = hadFocus ? (hadFocus.classList.contains("position") ? "position" : "keyframe") : null;
    this.scale = Math.max((box.clientWidth - 2 * MARGIN) / sound.seconds, NARROWEST);
    const width = sound.seconds * this.scale + 2 * MARGIN;
    this.svg = draw("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` });
    this.drawSound(width);
    this.drawTicks();
    this.drawKeyframes();
    this.drawPosition();
    this.svg.addEventListener("pointerdown", (event) => this.seek(this.second(event)));
    this.svg.addEventListener("dblclick", (event) => this.add(this.second(event)));
    box.replaceChildren(this.svg);
    if (focus) this.svg.querySelector(focus === "position" ? ".position" : ".keyframe[tabindex='0']")?.focus({ preventScroll: true });
  }

  drawSound() {
    const { sound } = this, middle = (TOP + BOTTOM) / 2, reach = (BOTTOM - TOP) / 2;
    const columns = sound.waveform.map((level, index) => [this.x((index + .5) / sound.waveform.length * sound.seconds), Math.max(level * reach, .5)]);
    const above = columns.map(([x, y]) => `${x.toFixed(1)},${(middle - y).toFixed(1)}`);
    const below = columns.map(([x, y]) => `${x.toFixed(1)},${(middle + y).toFixed(1)}`).reverse();
    draw("polygon", { class: "wave", points: [...above, ...below].join(" ") }, this.svg);
    const top = Math.max(...sound.curve, 1e-6);
    this.level = (second) => BOTTOM - (sound.curve[Math.min(Math.round(second * sound.fps), sound.curve.length - 1)] / top) * (BOTTOM - TOP - 6);
    const line = sound.curve.map((value, index) => `${this.x(index / sound.fps).toFixed(1)},${this.level(index / sound.fps).toFixed(1)}`);
    draw("polygon", { class: "under", points: [`${MARGIN},${BOTTOM}`, ...line, `${this.x(this.last)},${BOTTOM}`].join(" ") }, this.svg);
    draw("polyline", { class: "curve", points: line.join(" ") }, this.svg);
  }

  drawTicks() {
    const step = [.1, .25, .5, 1].find((some) => some * this.scale >= 55) ?? 1;
    for (let second = 0; second <= this.sound.seconds + 1e-6; second += step) {
      const x = this.x(second);
      draw("line", { class: "tick", x1: x, x2: x, y1: LABEL - 17, y2: LABEL - 12 }, this.svg);
      draw("text", { x, y: LABEL, "text-anchor": "middle" }, this.svg).textContent = `${+second.toFixed(2)} s`;
    }
  }

  drawKeyframes() {
    this.keyframes.forEach((second, index) => {
      const fixed = second === 0, chosen = index === this.chosen;
      const group = draw("g", { class: `keyframe${fixed ? " fixed" : ""}${chosen ? " chosen" : ""}`, transform: `translate(${this.x(second)} 0)` }, this.svg);
      draw("line", { y1: this.level(second), y2: KNOB }, group);
      draw("circle", { cy: KNOB, r: fixed ? 6 : 9 }, group);
      if (fixed) return;
      draw("rect", { class: "hit", x: -12, width: 24, y: TOP, height: KNOB + 14 - TOP }, group);
      const told = { role: "slider", tabindex: chosen ? 0 : -1, "aria-label": `Keyframe ${index + 1} of ${this.keyframes.length}`,
        "aria-valuemin": 0, "aria-valuemax": this.last.toFixed(4), "aria-valuenow": second, "aria-valuetext": `${second.toFixed(2)} seconds` };
      for (const [name, value] of Object.entries(told)) group.setAttribute(name, value);
      group.addEventListener("pointerdown", (event) => this.grab(event, index));
      group.addEventListener("keydown", (event) => this.key(event));
      group.addEventListener("focus", () => { if (this.chosen !== index) { this.chosen = index; this.draw(); this.changed(""); } });
    });
  }

  drawPosition() {
    const group = draw("g", { class: "position", role: "slider", tabindex: 0, "aria-label": "Position", "aria-valuemin": 0,
      "aria-valuemax": this.sound.seconds.toFixed(2) }, this.svg);
    draw("line", { y1: 0, y2: KNOB - 14 }, group);
    draw("path", { d: "M-6,0 H6 L0,9 Z" }, group);
    draw("rect", { class: "hit", x: -12, width: 24, y: 0, height: 24 }, group);
    group.addEventListener("keydown", (event) => this.key(event));
    group.addEventListener("pointerdown", (event) => this.drag(event, (second) => this.seek(second)));
    this.place = group;
    this.move(this.position);
  }

  /** Put the line of the position somewhere, as while the sound plays. */
  move(second) {
    this.position = Math.min(Math.max(second, 0), this.sound.seconds);
    this.place.setAttribute("transform", `translate(${this.x(this.position)} 0)`);
    this.place.setAttribute("aria-valuenow", this.position.toFixed(2));
    this.place.setAttribute("aria-valuetext", `${this.position.toFixed(2)} seconds`);
  }

  seek(second) {
    this.move(second);
    this.moved(this.position);
  }

  drag(event, follow, end = () => {}) {
    event.preventDefault();
    event.stopPropagation();
    const going = new AbortController(), signal = going.signal;
    window.addEventListener("pointermove", (moved) => moved.pointerId === event.pointerId && follow(this.second(moved)), { signal });
    for (const last of ["pointerup", "pointercancel"]) window.addEventListener(last, () => { going.abort(); end(); }, { signal });
  }

  grab(event, index) {
    this.chosen = index;
    this.drag(event, (second) => this.put(this.chosen, second), () => this.changed(this.words("at")));
    this.draw();
    this.svg.querySelector(".chosen")?.focus({ preventScroll: true });
    this.changed("");
  }

  /** Move a keyframe, not beyond its neighbours. */
  put(index, second) {
    const step = 1 / this.sound.fps, low = (this.keyframes[index - 1] ?? -step) + step;
    const high = (this.keyframes[index + 1] ?? this.last + step) - step;
    if (high < low - 1e-6) return;
    const there = this.frame(Math.min(Math.max(second, low), high));
    if (there === this.keyframes[index]) return;
    this.keyframes[index] = there;
    this.edited = true;
    this.draw();
  }

  add(second) {
    if (!this.editable) return;
    const there = this.frame(second);
    if (this.keyframes.includes(there)) return this.changed(`There is a keyframe at ${there.toFixed(2)} seconds already.`);
    if (this.full) return this.changed(`This model takes ${this.sound.most} keyframes in ${this.sound.window} seconds: remove one first.`);
    this.keyframes = [...this.keyframes, there].sort((a, b) => a - b);
    this.chosen = this.keyframes.indexOf(there);
    this.edited = true;
    this.draw();
    this.changed(this.words("added at"));
  }

  remove() {
    if (!(this.chosen >= 0) || this.keyframes[this.chosen] === 0) return;
    const [gone] = this.keyframes.splice(this.chosen, 1);
    this.chosen = Math.min(this.chosen, this.keyframes.length - 1);
    if (this.keyframes[this.chosen] === 0) this.chosen = -1;
    this.edited = true;
    this.draw();
    this.changed(`Keyframe at ${gone.toFixed(2)} seconds removed.`);
  }

  words(what) { return `Keyframe ${this.chosen + 1} of ${this.keyframes.length} ${what} ${this.keyframes[this.chosen].toFixed(2)} seconds.`; }

  key(event) {
    const place = event.currentTarget === this.place, step = (event.shiftKey ? 6 : 1) / this.sound.fps;
    const go = (change) => place ? this.seek(this.position + change) : this.put(this.chosen, this.keyframes[this.chosen] + change);
    const neighbour = (change) => {
      const index = this.chosen + change;
      if (this.keyframes[index] > 0) { this.chosen = index; this.draw(); this.changed(""); }
    };
    const keys = {
      ArrowLeft: () => go(-step), ArrowDown: () => go(-step), ArrowRight: () => go(step), ArrowUp: () => go(step),
      PageUp: () => place ? go(-.5) : neighbour(-1), PageDown: () => place ? go(.5) : neighbour(1),
      Home: () => go(-Infinity), End: () => go(Infinity),
      ...(place ? { Enter: () => this.add(this.position) } : { Delete: () => this.remove(), Backspace: () => this.remove() }),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
    if (!place && event.key.startsWith("Arrow")) this.changed("");
    this.svg.querySelector(place ? ".position" : ".chosen")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}
