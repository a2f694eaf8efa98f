// The microphone as a file.

export class Recorder {
  /** @param {number} longest seconds  @param {(file: Blob, name: string) => void} done  @param {(seconds: number | null) => void} told */
  constructor(longest, done, told) { Object.assign(this, { longest, done, told, media: null, count: 0 }); }

  get running() { return this.media?.state === "recording"; }

  async begin() {
    if (!navigator.mediaDevices || !window.MediaRecorder) throw new Error("This browser lets a page record over https or on localhost only.");
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
    } catch {
      throw new Error("The browser gives no microphone: allow it, or choose a file.");
    }
    const parts = [], began = performance.now();
    this.media = new MediaRecorder(stream);
    this.media.ondataavailable = (event) => parts.push(event.data);
    const clock = setInterval(() => {
      const seconds = (performance.now() - began) / 1000;
      this.told(seconds);
      if (seconds >= this.longest - .3) this.end();
    }, 200);
    this.media.onstop = () => {
      clearInterval(clock);
      stream.getTracks().forEach((track) => track.stop());
      this.told(null);
      const kind = this.media.mimeType.split(";")[0];
      const ending = { "audio/mp4": "m4a", "audio/ogg": "ogg" }[kind] ?? "webm";
      this.count += 1;
      this.done(new Blob(parts, { type: kind }), `recording-${this.count}.${ending}`);
    };
    this.media.start();
    this.told(0);
  }

  end() { if (this.running) this.media.stop(); }
}
