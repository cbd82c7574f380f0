// Makes requests as UrlFetchApp does, for host.mjs to wait for; faults are worded as Google words them.

import { readFileSync } from 'node:fs';

const { requests, limit_ms: limit } = JSON.parse(readFileSync(0, 'utf8'));

async function fetchOne({ url, method, headers, contentType, payload, followRedirects, timeoutSeconds }) {
  try {
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(contentType && { 'Content-Type': contentType }) },
      body: payload,
      redirect: followRedirects ? 'follow' : 'manual',
      signal: AbortSignal.timeout(Math.min(limit, timeoutSeconds * 1000)),
    });
    return { status: response.status, body: Buffer.from(await response.arrayBuffer()).toString('base64') };
  } catch (error) {
    return { fault: error.name === 'TimeoutError' ? `Timeout: ${url}` : `Address unavailable: ${url}` };
  }
}

process.stdout.write(JSON.stringify(await Promise.all(requests.map(fetchOne))));
