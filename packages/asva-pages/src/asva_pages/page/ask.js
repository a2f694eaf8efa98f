// What a page asks its server for. Every answer is JSON; a refusal is an Error with the server's words.

export const PATIENCE = 20000; // milliseconds, for what a person waits for

export const find = (id) => document.getElementById(id);

export async function ask(path, method = "GET", body = undefined, patience = undefined) {
  const options = { method, body: body && JSON.stringify(body), signal: patience && AbortSignal.timeout(patience) };
  const response = await fetch(path, options).catch(() => {
    throw new Error("The server does not answer: is it still running?");
  });
  const found = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(found.error || `The server answered ${response.status}.`);
  return found;
}

export function complain(text, where = "problem") {
  find(where).hidden = !text;
  find(where).textContent = text;
}
