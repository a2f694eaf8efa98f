// What the page asks its server for. Every answer is JSON; a refusal is an Error with the server's words.

async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error || `The server answered ${response.status}.`);
  return body;
}

const unreachable = () => { throw new Error("The server does not answer: is it still running?"); };

export const ask = async (path, method = "GET", body = undefined) =>
  answer(await fetch(path, { method, body: body && JSON.stringify(body) }).catch(unreachable));

/** Send a file as it is; `told` takes the share that is on its way. */
export function send(kind, file, name, told) {
  return new Promise((done, refused) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `/api/uploads/${kind}?name=${encodeURIComponent(name)}`);
    request.upload.onprogress = (event) => event.lengthComputable && told(event.loaded / event.total);
    request.onload = () => {
      let body = {};
      try { body = JSON.parse(request.responseText); } catch { /* said below */ }
      if (request.status === 200) done(body);
      else refused(new Error(body.error || `The server answered ${request.status}.`));
    };
    request.onerror = () => refused(new Error("The upload was refused, or the connection was lost."));
    request.send(file);
  });
}
