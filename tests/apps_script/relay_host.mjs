// Runs the relay's real file as Google runs a web app: a POST is answered with a redirect, the answer is fetched with
// GET, once. Its advanced service passes every call on to the server in tests/google, which holds it to Google's schema.
//
// Writes a port of this machine, and serves there, one request at a time, until standard input ends:
//   POST /deploy {world}      its number N; `file` is the relay's file as it was pasted
//   POST /macros/s/N/exec     the web app
//   GET /macros/echo          what it answered
//   POST /world/N {change}    changes the world; answers what happened in it

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import vm from 'node:vm';

import { fetchAll } from './fetch_all.mjs';

/** The advanced service `Sheets`, as far as a script can see it. */
function sheetsService(world) {
  function call(name, verb, path, options, resource) {
    const query = new URLSearchParams(Object.entries(options ?? {})
      .flatMap(([key, value]) => [value].flat().map((one) => [key, one])));
    const url = `${world.sheets}/v4/spreadsheets/${path}${query.size ? `?${query}` : ''}`;
    const [{ status, body, fault }] = fetchAll([{
      url, method: verb, contentType: 'application/json', payload: resource && JSON.stringify(resource), muteHttpExceptions: true,
    }]);
    if (fault) throw new Error('We\'re sorry, a server error occurred. Please wait a bit and try again.');
    const answer = JSON.parse(body.toString());
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

function deployed(given) {
  const world = {
    sheets: '', has_service: true, ahead_seconds: 0, pages: [], page: null, sign_in: false, lock_is_free: true, ...given,
  };
  const seen = { posts: [], gets: [], cached: [] };
  const cache = new Map();

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
    ...(world.has_service && { Sheets: sheetsService(world) }),
  });

  /** Each call is a separate execution; what a script throws becomes a page with status 200. */
  function run(name, event) {
    const context = vm.createContext(services());
    try {
      vm.runInContext(readFileSync(world.file, 'utf8'), context);
      return context[name](event);
    } catch (error) {
      return { content: `<html><title>Error</title><body>${error} (line 1)</body></html>`, type: 'text/html' };
    }
  }

  return { world, seen, run };
}

const deployments = new Map();
const echoes = new Map();

async function answer(request, response) {
  const sent = await text(request);
  const { pathname, searchParams } = new URL(request.url, 'http://x');
  const page = ({ status = 200, html }) => response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8' }).end(html);
  const number = pathname.match(/^\/(?:macros\/s|world)\/(\d+)(?:\/exec)?$/)?.[1];
  const { world, seen, run } = deployments.get(number) ?? {};
  if (pathname === '/deploy') {
    const next = String(deployments.size + 1);
    deployments.set(next, deployed(JSON.parse(sent)));
    response.end(next);
  } else if (pathname.startsWith('/world/')) {
    Object.assign(world, JSON.parse(sent));
    response.end(JSON.stringify(seen));
  } else if (pathname === '/macros/echo' && request.method === 'GET') {
    const { content, type } = echoes.get(searchParams.get('user_content_key')) ?? { content: 'gone', type: 'text/html' };
    echoes.delete(searchParams.get('user_content_key'));
    response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(content);
  } else if (!world) {
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
    const key = `${number}-${seen.posts.length}`;
    echoes.set(key, run('doPost', { postData: { contents: sent, type: request.headers['content-type'] } }));
    response.writeHead(302, { Location: `/macros/echo?user_content_key=${key}` }).end('<html>Moved Temporarily</html>');
  }
}

const server = createServer(answer).listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit()).resume();
