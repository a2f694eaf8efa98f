// What plays: keys and buttons with the same names, and why a video does not play.

import { ask } from "./ask.js";

/** Acts by buttons whose ids are their names, and by keys; those of `once` do not repeat while a key is held. */
export function bind(acts, keys, once = []) {
  for (const [name, act] of Object.entries(acts)) document.getElementById(name)?.addEventListener("click", act);
  document.addEventListener("keydown", (event) => {
    const inField = event.target instanceof HTMLInputElement && event.target.type !== "radio";
    const pressed = event.target instanceof HTMLButtonElement && [" ", "Enter"].includes(event.key);
    if (event.ctrlKey || event.metaKey || event.altKey || inField || pressed || !(event.key in keys)) return;
    event.preventDefault();
    if (!(event.repeat && once.includes(keys[event.key]))) acts[keys[event.key]]();
  });
}

/** Why a video does not play, in the server's words if it has any. */
export const reason = (address) => ask(address).then(() => "the browser cannot play it", (error) => error.message);

/** Let the server make what comes next meanwhile. */
export const prepare = (address) => fetch(address, { headers: { Range: "bytes=0-0" } }).catch(() => {});
