// Videos that wait, are made, and are done: one card each, the newest first.

import { ask } from "./ask.js";

const stamp = (seconds) => seconds < 60 ? `${Math.max(Math.round(seconds), 1)} s` : `${Math.round(seconds / 60)} min`;

function progress(job) {
  if (job.state === "waiting") return job.position ? `Waiting; ${job.position} before it` : "Waiting; it is next";
  const left = job.left == null ? "" : `, about ${stamp(job.left)} left`;
  return `${job.stage ?? "starting"}${left}`.replace(/^./, (letter) => letter.toUpperCase());
}

export class Results {
  constructor(box, { say, fail, changed, small }) {
    Object.assign(this, { box, say, fail, changed, small, cards: new Map() });
    this.template = document.getElementById("result");
  }

  show(jobs) {
    for (const [id, card] of this.cards) if (!jobs.some((job) => job.id === id)) { card.remove(); this.cards.delete(id); }
    for (const job of jobs) {
      if (!this.cards.has(job.id)) this.begin(job);
      const card = this.cards.get(job.id);
      if (card.dataset.state !== job.state) this.turn(card, job);
      if (job.state === "waiting" || job.state === "running") {
        const bar = card.querySelector("progress");
        bar.value = job.fraction ?? 0;
        const words = progress(job);
        if (card.querySelector(".stage").textContent !== words) card.querySelector(".stage").textContent = words;
      }
    }
  }

  begin(job) {
    const card = this.template.content.firstElementChild.cloneNode(true), find = (what) => card.querySelector(what);
    find("h3").textContent = job.name;
    find(".title").textContent = job.title;
    find("progress").setAttribute("aria-label", `Progress of ${job.name}`);
    find(".cancel").setAttribute("aria-label", `Cancel ${job.name}`);
    find(".cancel").addEventListener("click", (event) => { event.target.disabled = true; this.act(`/api/jobs/${job.id}/cancel`, "POST"); });
    find(".remove").setAttribute("aria-label", `Remove ${job.name}`);
    find(".remove").addEventListener("click", () => this.act(`/api/jobs/${job.id}`, "DELETE"));
    find("code").textContent = job.command;
    find("code").setAttribute("aria-label", `Command line of ${job.name}`);
    find(".copy").setAttribute("aria-label", `Copy the command line of ${job.name}`);
    find(".copy").addEventListener("click", () => this.copy(find("code")));
    this.cards.set(job.id, card);
    this.box.prepend(card);
  }

  turn(card, job) {
    const find = (what) => card.querySelector(what), before = card.dataset.state;
    const active = job.state === "waiting" || job.state === "running";
    card.dataset.state = job.state;
    find(".work").hidden = !active;
    find(".end").hidden = active;
    find(".problem").hidden = job.state !== "failed" && job.state !== "cancelled";
    find(".problem").textContent = job.state === "cancelled" ? "Cancelled." : job.error;
    if (job.state === "done") {
      const video = find("video");
      video.src = `/api/jobs/${job.id}/video`;
      video.classList.toggle("small", job.height < 256);
      video.setAttribute("aria-label", `Video ${job.name}`);
      find(".save-video").href = `/api/jobs/${job.id}/video?save`;
      find(".save-json").href = `/api/jobs/${job.id}/json?save`;
      find(".made").hidden = false;
    }
    if (before && !active) this.say(`${job.name}: ${job.state === "done" ? "the video is made" : find(".problem").textContent}`);
  }

  async act(path, method) {
    try { await ask(path, method); } catch (error) { this.fail(error); }
    this.changed();
  }

  async copy(code) {
    try {
      await navigator.clipboard.writeText(code.textContent);
      this.say("The command line is copied.");
    } catch {
      getSelection().selectAllChildren(code);
      this.say("Press Ctrl-C to copy the command line.");
    }
  }

  /** Play all that are made from their beginning, the newest with its sound. */
  together() {
    [...this.box.querySelectorAll(".made:not([hidden]) video")].forEach((video, index) => {
      video.muted = index > 0;
      video.currentTime = 0;
      video.play();
    });
  }
}
