// A brush over the picture: what is painted moves. The mask leaves as a PNG of the picture's own size.

export class Brush {
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.painted = false;
    this.last = null;
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); this.draw(event); });
    canvas.addEventListener("pointermove", (event) => { if (this.last) this.draw(event); });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { this.last = null; });
  }

  // Begin anew over a picture of that size.
  over(width, height) {
    this.size = [width, height];
    const scale = Math.min(640 / Math.max(width, height), 1);
    this.canvas.width = Math.max(Math.round(width * scale), 1);
    this.canvas.height = Math.max(Math.round(height * scale), 1);
    this.clear();
  }

  clear() {
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.painted = false;
    this.changed(false);
  }

  draw(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const at = [(event.clientX - left) / width * this.canvas.width, (event.clientY - top) / height * this.canvas.height];
    const pen = this.canvas.getContext("2d");
    pen.strokeStyle = "#fff";
    pen.lineCap = pen.lineJoin = "round";
    pen.lineWidth = Math.min(this.canvas.width, this.canvas.height) / 8;
    pen.beginPath();
    pen.moveTo(...(this.last ?? at));
    pen.lineTo(...at);
    pen.stroke();
    this.last = at;
    this.painted = true;
    this.changed(true);
  }

  // White where it was painted, on black.
  async mask() {
    const whole = document.createElement("canvas");
    [whole.width, whole.height] = this.size;
    const pen = whole.getContext("2d");
    pen.fillRect(0, 0, whole.width, whole.height);
    pen.drawImage(this.canvas, 0, 0, whole.width, whole.height);
    return new Promise((done) => whole.toBlob(done, "image/png"));
  }
}
