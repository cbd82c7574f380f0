// Runs the relay's real file as Google runs a web app: a POST is answered with a redirect, the answer is fetched with
// GET, once. Its advanced service passes every call on to the server in tests/google, which holds it to Google's schema.
//
// The arguments are the relay's file as it was pasted, and how the world is. Writes a port of this machine, and serves
// there until standard input ends:
//   POST /macros/s/lab/exec   the web app
//   GET /macros/echo          what it answered
//   POST /world {change}      changes the world; answers what happened in it

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import vm from 'node:vm';
import { isMainThread, MessageChannel, receiveMessageOnPort, Worker, workerData } from 'node:worker_threads';

const WEB_APP = '/macros/s/lab/exec';

/** Google's services answer at once; here a thread asks, and this one waits for it. */
function asker() {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL(import.meta.url), { workerData: { flag, port: port2 }, transferList: [port2] });
  worker.unref();
  return (request) => {
    Atomics.store(flag, 0, 0);
    port1.postMessage(request);
    Atomics.wait(flag, 0, 0);
    return receiveMessageOnPort(port1).message;
  };
}

function answerQuestions({ flag, port }) {
  port.on('message', async ({ url, method, body }) => {
    let message;
    try {
      const response = await fetch(url, { method, body, headers: body && { 'Content-Type': 'application/json' } });
      message = { status: response.status, content: await response.text() };
    } catch {
      message = { fault: 'We\'re sorry, a server error occurred. Please wait a bit and try again.' };
    }
    port.postMessage(message);
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
  });
}

/** The advanced service `Sheets`, as far as a script can see it. */
function sheetsService(world, ask) {
  function call(name, verb, path, options, resource) {
    const query = new URLSearchParams(Object.entries(options ?? {})
      .flatMap(([key, value]) => [value].flat().map((one) => [key, one])));
    const url = `${world.sheets}/v4/spreadsheets/${path}${query.size ? `?${query}` : ''}`;
    const { status, content, fault } = ask({ url, method: verb, body: resource && JSON.stringify(resource) });
    if (fault) throw new Error(fault);
    const answer = JSON.parse(content);
    if (status === 200) return answer;
    const { code, message, status: reason } = answer.error;
    throw Object.assign(new Error(`API call to ${name} failed with error: ${message}`), {
      name: 'GoogleJsonResponseException', details: { code, message, errors: [{ reason, message }] },
    });
  }
  const part = encodeURIComponent;
  return {
    Spreadsheets: {
      get: (id, options) => call('sheets.spreadsheets.get', 'GET', part(id), options),
      batchUpdate: (body, id) => call('sheets.spreadsheets.batchUpdate', 'POST', `${part(id)}:batchUpdate`, {}, body),
      Values: {
        get: (id, range, options) => call('sheets.spreadsheets.values.get', 'GET', `${part(id)}/values/${part(range)}`, options),
      },
      DeveloperMetadata: {
        search: (body, id) => call('sheets.spreadsheets.developerMetadata.search', 'POST', `${part(id)}/developerMetadata:search`, {}, body),
      },
    },
  };
}

function serve() {
  const world = {
    sheets: '', has_service: true, ahead_seconds: 0, pages: [], page: null, sign_in: false, lock_is_free: true,
    ...JSON.parse(process.argv[3]),
  };
  const seen = { posts: [], gets: [], cached: [] };
  const cache = new Map();
  const echoes = new Map();
  const ask = asker();

  class WorldDate extends Date {
    static now() { return Date.now() + world.ahead_seconds * 1000; }
  }
  const services = () => ({
    CacheService: {
      getScriptCache: () => ({
        get: (key) => cache.get(key) ?? null,
        put(key, value, seconds) {
          if (typeof value !== 'string' || !(seconds > 0 && seconds <= 21600)) throw new Error('Invalid argument');
          cache.set(key, value);
          seen.cached.push([key, seconds]);
        },
      }),
    },
    ContentService: {
      MimeType: { JSON: 'application/json' },
      createTextOutput: (content) => ({ content, type: 'text/plain', setMimeType(type) { this.type = type; return this; } }),
    },
    LockService: { getScriptLock: () => ({ tryLock: () => world.lock_is_free, releaseLock() {} }) },
    Utilities: {
      Charset: { UTF_8: 'utf-8' },
      computeHmacSha256Signature: (value, key) => [...new Int8Array(createHmac('sha256', key).update(value).digest())],
    },
    Date: WorldDate,
    ...(world.has_service && { Sheets: sheetsService(world, ask) }),
  });

  /** Each call is a separate execution; what a script throws becomes a page with status 200. */
  function run(name, event) {
    const context = vm.createContext(services());
    try {
      vm.runInContext(readFileSync(process.argv[2], 'utf8'), context);
      return context[name](event);
    } catch (error) {
      return { content: `<html><title>Error</title><body>${error} (line 1)</body></html>`, type: 'text/html' };
    }
  }

  const server = createServer(async (request, response) => {
    const sent = await text(request);
    const { pathname, searchParams } = new URL(request.url, 'http://x');
    const page = ({ status = 200, html }) => response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8' }).end(html);
    if (pathname === '/world') {
      Object.assign(world, JSON.parse(sent));
      response.end(JSON.stringify(seen));
    } else if (pathname === '/macros/echo' && request.method === 'GET') {
      const { content, type } = echoes.get(searchParams.get('user_content_key')) ?? { content: 'gone', type: 'text/html' };
      echoes.delete(searchParams.get('user_content_key'));
      response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(content);
    } else if (pathname !== WEB_APP) {
      page({ html: '<html><title>Sign in - Google Accounts</title><body>Sign in</body></html>' });
    } else if (world.sign_in) {
      response.writeHead(302, { Location: '/v3/signin/identifier?service=wise' }).end();
    } else if (world.pages.length || world.page) {
      page(world.pages.shift() ?? world.page);
    } else if (request.method === 'GET') {
      seen.gets.push(pathname);
      response.end(run('doGet').content);
    } else {
      seen.posts.push(sent);
      const key = String(seen.posts.length);
      echoes.set(key, run('doPost', { postData: { contents: sent, type: request.headers['content-type'] } }));
      response.writeHead(302, { Location: `/macros/echo?user_content_key=${key}` }).end('<html>Moved Temporarily</html>');
    }
  }).listen(0, '127.0.0.1', () => console.log(server.address().port));
  process.stdin.on('end', () => process.exit()).resume();
}

if (isMainThread) serve();
else answerQuestions(workerData);
