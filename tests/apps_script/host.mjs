// Runs the add-on's real server files in a separate world, as Apps Script does, with what they use of Google's
// services. UrlFetchApp makes real requests, and waits for them.
//
// An argument says how a world is, and which calls are made in it, each [name, ...arguments]; what came of them, and
// what the person saw, is written to standard output. Without one, writes a port of this machine and answers there,
// one request at a time, until standard input ends:
//   POST /run {world}         what would be written for it
//   POST /open {world}        its number N
//   GET /N/openSidebar        the sidebar, as this function of the menu shows it
//   POST /N/NAME [argument]   one call of the page's google.script.run, or a choice in the menu
//   POST /N/world {change}    changes the world; answers what the person saw
//   DELETE /N                 closes it

import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

import { fetchAll } from './fetch_all.mjs';
import { carried, googleScript } from './google_script.mjs';

const FIGURE_HEIGHT = 420;
const ROW_HEIGHT = 21;

/** The sheet as one person has it open, the add-on in it. */
function opened(given) {
  const world = {
    calls: [], address: null, tunnels: {}, token: 'token', mode: 'FULL', limit_ms: 20_000,
    lock_is_free: true, cell: { row: 1, column: 1, text: '', tab: 'Notes' }, rows: 1000, columns: 26, has_active_cell: true,
    images_fail: false, fetch_fault: '', answers: [], more_script: '',
    ...given,
  };
  const ADD_ON = world.folder ?? fileURLToPath(new URL('../../apps_script/', import.meta.url));
  const properties = world.address ? { backend: world.address } : {};
  const seen = { results: [], menu: [], alerts: [], toasts: [], images: [], active: null, page: '', fetches: 0 };

  /** Before the add-on is authorized, only the menu may be made. */
  const authorized = (service) => new Proxy(service, {
    get(target, name) {
      if (world.mode === 'NONE') throw new Error(`You do not have permission to call ${String(name)}`);
      return target[name];
    },
  });

  function fetchNow(requests) {
    seen.fetches += requests.length;
    if (world.fetch_fault) throw new Error(world.fetch_fault.replace('{url}', requests[0].url));
    return fetchAll(requests, world).map(({ status, body, fault }) => {
      if (fault) throw new Error(fault);
      return { getResponseCode: () => status, getContentText: () => body.toString(), getBlob: () => body };
    });
  }

  const sheet = {
    getName: () => world.cell.tab,
    getMaxRows: () => world.rows,
    getMaxColumns: () => world.columns,
    getRange: () => cellAt(1, 1, ''),
    getRowHeight(row) {
      if (row < 1 || row > world.rows) throw new Error('Those rows are out of bounds.');
      return ROW_HEIGHT;
    },
    insertRowsAfter(row, count) {
      if (row !== world.rows || count < 1) throw new Error('Rows may be added at the end only.');
      world.rows += count;
    },
    getImages: () => [...seen.images],
    insertImage(bytes, column, row) {
      if (world.images_fail) throw new Error('Service error: Spreadsheets');
      if (row > world.rows || column > world.columns) throw new Error('The image lies outside the sheet.');
      const image = {
        column, row, bytes: bytes.length, title: '', description: '',
        getHeight: () => FIGURE_HEIGHT,
        getAltTextTitle: () => image.title,
        setAltTextTitle(title) { image.title = title; return image; },
        setAltTextDescription(description) { image.description = description; return image; },
        remove() { seen.images.splice(seen.images.indexOf(image), 1); },
      };
      seen.images.push(image);
      return image;
    },
  };

  const cellAt = (row, column, text) => ({
    getDisplayValue: () => text,
    getSheet: () => sheet,
    getRow: () => row,
    getColumn: () => column,
  });

  const menu = {
    addItem(label, name) { seen.menu.push([label, name, typeof context[name]]); return menu; },
    addSeparator: () => menu,
    addToUi() {},
  };
  const ui = {
    Button: { OK: 'ok' },
    ButtonSet: { OK: 'ok', OK_CANCEL: 'ok, cancel' },
    createMenu: () => menu,
    alert(title, text) { seen.alerts.push(text); },
    prompt(title, text) {
      seen.alerts.push(text);
      const answer = world.answers.shift();
      return { getSelectedButton: () => (answer === undefined ? 'cancel' : 'ok'), getResponseText: () => answer };
    },
    showSidebar(page) { seen.page = page.content; },
  };

  const read = (name) => readFileSync(join(ADD_ON, `${name}.html`), 'utf8');
  const output = (content) => ({
    content,
    getContent: () => content,
    setTitle() { return this; },
    append(more) { this.content += more; return this; },
  });
  const evaluate = (text) => text.replace(/<\?!= (.*?) \?>/g, (_, code) => vm.runInContext(code, context));

  const services = {
    HtmlService: authorized({
      createHtmlOutputFromFile: (name) => output(read(name)),
      createTemplateFromFile: (name) => ({ evaluate: () => output(evaluate(read(name))) }),
    }),
    LockService: authorized({ getUserLock: () => ({ tryLock: () => world.lock_is_free, releaseLock() {} }) }),
    PropertiesService: authorized({
      getScriptProperties: () => ({
        getProperty: (name) => properties[name] ?? null,
        setProperty(name, value) { properties[name] = value; },
      }),
    }),
    ScriptApp: authorized({ getIdentityToken: () => world.token }),
    SpreadsheetApp: {
      getUi: () => ui,
      getActive: () => ({
        getSheetByName: (name) => (name === sheet.getName() ? { activate() { seen.active = name; } } : null),
        toast(text) { seen.toasts.push(text); },
      }),
      getActiveSheet: () => sheet,
      getCurrentCell: () => (world.has_active_cell ? cellAt(world.cell.row, world.cell.column, world.cell.text) : null),
    },
    UrlFetchApp: authorized({ fetchAll: fetchNow }),
  };

  let context;

  /** Google runs each call separately: variables of one do not reach the next. */
  function begin() {
    context = vm.createContext({ ...services });
    for (const file of readdirSync(ADD_ON).filter((name) => name.endsWith('.js')).sort()) {
      vm.runInContext(readFileSync(join(ADD_ON, file), 'utf8'), context, { filename: file });
    }
    vm.runInContext(world.more_script, context);
  }

  function execute(name, given) {
    begin();
    try {
      return { answer: JSON.parse(carried(context[name](...given) ?? null)) };
    } catch (error) {
      return { fault: error.message, thrown: String(error) }; // the page gets the error's class before the sentence
    }
  }

  begin();
  const functions = Object.keys(context).filter((name) => !(name in services));
  const callable = functions.filter((name) => !name.endsWith('_'));
  return {
    callable,
    execute,
    change: (more) => Object.assign(world, more),
    callAll: () => { for (const [name, ...given] of world.calls) seen.results.push(execute(name, given)); },
    everything: () => JSON.stringify({ ...seen, properties, functions }),
    page: () => seen.page,
  };
}

function outcome(given) {
  const sheet = opened(given);
  sheet.callAll();
  return sheet.everything();
}

const sheets = new Map();
let count = 0;

async function answer(request, response) {
  const [number, name] = request.url.slice(1).split('/');
  const body = await text(request);
  const sheet = sheets.get(number);
  if (number === 'run') {
    response.end(outcome(JSON.parse(body)));
  } else if (number === 'open') {
    sheets.set(String(count += 1), opened(JSON.parse(body)));
    response.end(String(count));
  } else if (request.method === 'DELETE') {
    sheets.delete(number);
    response.end();
  } else if (name === 'world') {
    sheet.change(JSON.parse(body));
    response.end(sheet.everything());
  } else if (!sheet?.callable.includes(name)) {
    response.writeHead(404).end();
  } else if (request.method === 'POST') {
    response.end(JSON.stringify(sheet.execute(name, JSON.parse(body))));
  } else {
    sheet.execute(name, []);
    const script = `<script>${carried}\n(${googleScript})(${JSON.stringify(sheet.callable)})</script>`;
    response.setHeader('Content-Type', 'text/html').end(sheet.page().replace('<head>', () => `<head>${script}`));
  }
}

if (process.argv[2]) {
  process.stdout.write(outcome(JSON.parse(process.argv[2])));
} else {
  const server = createServer(answer).listen(0, '127.0.0.1', () => console.log(server.address().port));
  process.stdin.on('end', () => process.exit()).resume();
}
