"use strict";
// A line runs over the curves while their video plays.
for (const clip of document.querySelectorAll(".clip")) {
  const video = clip.querySelector("video"), line = clip.querySelector(".playhead");
  const seconds = Number(clip.dataset.seconds);
  if (!video || !line || !seconds) continue;
  const follow = () => {
    line.style.left = `${100 * Math.min(1, video.currentTime / seconds)}%`;
    line.hidden = false;
    if (!video.paused) requestAnimationFrame(follow);
  };
  for (const event of ["play", "seeked"]) video.addEventListener(event, follow);
}
