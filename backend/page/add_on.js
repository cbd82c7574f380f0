'use strict';
// The add-on's files, each with a button that copies it.
{
  const FILES = [
    ['Code.js', 'over the code in Code.gs'],
    ['Sidebar.html', 'into a new HTML file called Sidebar'],
    ['appsscript.json', 'over the manifest'],
  ];

  /** @param {string} text */
  const tell = (text) => { /** @type {HTMLElement} */ (document.getElementById('status')).textContent = text; };

  /** @param {string} text */
  async function copy(text) {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      return;
    }
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }

  for (const [name, where] of FILES) {
    const line = document.createElement('div');
    const title = Object.assign(document.createElement('b'), { textContent: name });
    const hint = Object.assign(document.createElement('span'), { textContent: where });
    const button = Object.assign(document.createElement('button'), { textContent: 'Copy', type: 'button' });
    button.setAttribute('aria-label', `Copy ${name}`);
    button.onclick = async () => {
      try {
        const answer = await fetch(`/add-on/${name}`);
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        await copy(await answer.text());
        tell(`${name} is copied.`);
      } catch (error) {
        tell(`${name} could not be copied: ${/** @type {Error} */ (error).message}. The file is in the folder add-on of the home.`);
      }
    };
    line.append(title, hint, button);
    /** @type {HTMLElement} */ (document.getElementById('files')).append(line);
  }
}
