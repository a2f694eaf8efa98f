"use strict";
// A line runs over the curves while their video plays.
for (const panel of document.querySelectorAll(".panel")) {
  const video = panel.querySelector("video"), line = panel.querySelector(".playhead");
  const seconds = Number(panel.dataset.seconds);
  if (!video || !line || !seconds) continue;
  const follow = () => {
    const x = 600 * Math.min(1, video.currentTime / seconds);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    line.style.visibility = "visible";
    if (!video.paused) requestAnimationFrame(follow);
  };
  for (const event of ["play", "seeked"]) video.addEventListener(event, follow);
}
