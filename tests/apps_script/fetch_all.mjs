// Makes requests as UrlFetchApp does, in a thread for which the caller waits; faults are worded as Google words them.
// A public address leads through its tunnel: to a port of this machine, with the Host that was asked for.

import http from 'node:http';
import { buffer } from 'node:stream/consumers';
import { isMainThread, MessageChannel, receiveMessageOnPort, Worker, workerData } from 'node:worker_threads';

let ask;

/** The answers, each `{ status, body }` or `{ fault }`, once all are there. */
export function fetchAll(requests, { limit_ms: limit = 60_000, tunnels = {} } = {}) {
  ask ??= asker();
  return ask({ requests, limit, tunnels }).map(({ body, ...answer }) => ({ ...answer, body: body && Buffer.from(body) }));
}

function asker() {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL(import.meta.url), { workerData: { flag, port: port2 }, transferList: [port2] });
  worker.unref();
  return (question) => {
    Atomics.store(flag, 0, 0);
    port1.postMessage(question);
    Atomics.wait(flag, 0, 0);
    return receiveMessageOnPort(port1).message;
  };
}

function answerQuestions({ flag, port }) {
  port.on('message', async ({ requests, limit, tunnels }) => {
    port.postMessage(await Promise.all(requests.map((request) => fetchOne(request, limit, tunnels))));
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
  });
}

function send(url, { method, headers, contentType, payload }, tunnels, signal) {
  const { origin, host } = new URL(url);
  return new Promise((resolve, reject) => {
    http.request(url.replace(origin, tunnels[origin] ?? origin), {
      method,
      headers: { ...headers, Host: host, ...(contentType && { 'Content-Type': contentType }) },
      agent: false, // a connection kept may lead to the server of an earlier test
      signal,
    }, resolve).on('error', reject).end(payload);
  });
}

async function fetchOne(request, limit, tunnels, redirects = 5) {
  const { url, followRedirects = true, muteHttpExceptions = false, timeoutSeconds = 60 } = request;
  const signal = AbortSignal.timeout(Math.min(limit, timeoutSeconds * 1000));
  try {
    const response = await send(url, request, tunnels, signal);
    const { statusCode: status, headers: { location } } = response;
    if (location && followRedirects && redirects) {
      return await fetchOne({ ...request, url: new URL(location, url).href }, limit, tunnels, redirects - 1);
    }
    const body = await buffer(response);
    if (status >= 400 && !muteHttpExceptions) return { fault: `Request failed for ${url} returned code ${status}` };
    return { status, body };
  } catch {
    return { fault: `${signal.aborted ? 'Timeout' : 'Address unavailable'}: ${url}` };
  }
}

if (!isMainThread) answerQuestions(workerData);
