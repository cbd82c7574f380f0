// Makes requests as UrlFetchApp does, for host.mjs to wait for; faults are worded as Google words them.
// A public address leads through its tunnel: to a port of this machine, with the Host that was asked for.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import { buffer } from 'node:stream/consumers';

const { requests, limit_ms: limit, tunnels } = JSON.parse(readFileSync(0, 'utf8'));

function send(url, { method, headers, contentType, payload }, signal) {
  const { origin, host } = new URL(url);
  return new Promise((resolve, reject) => {
    http.request(url.replace(origin, tunnels[origin] ?? origin), {
      method,
      headers: { ...headers, Host: host, ...(contentType && { 'Content-Type': contentType }) },
      signal,
    }, resolve).on('error', reject).end(payload);
  });
}

async function fetchOne(request, redirects = 5) {
  const { url, followRedirects = true, muteHttpExceptions = false, timeoutSeconds = 60 } = request;
  const signal = AbortSignal.timeout(Math.min(limit, timeoutSeconds * 1000));
  try {
    const response = await send(url, request, signal);
    const { statusCode: status, headers: { location } } = response;
    if (location && followRedirects && redirects) {
      return await fetchOne({ ...request, url: new URL(location, url).href }, redirects - 1);
    }
    const body = await buffer(response);
    if (status >= 400 && !muteHttpExceptions) return { fault: `Request failed for ${url} returned code ${status}` };
    return { status, body: body.toString('base64') };
  } catch {
    return { fault: `${signal.aborted ? 'Timeout' : 'Address unavailable'}: ${url}` };
  }
}

process.stdout.write(JSON.stringify(await Promise.all(requests.map(fetchOne))));
