// A file on its way to the server.

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
