// Who asks, entered once in this browser and shown as the requester.

import { make } from './cells.js';

/** @type {any} */
const button = document.getElementById('person');

function showPerson() {
  const name = localStorage.getItem('sheetrack-person');
  button.textContent = name ? `You are ${name}` : 'Who are you?';
}

/** Turns the button into a field, and what is typed there back. */
function askPerson() {
  const field = make('input');
  field.id = 'person-name';
  field.maxLength = 40;
  field.value = localStorage.getItem('sheetrack-person') ?? '';
  field.setAttribute('aria-label', 'Your name');
  field.placeholder = 'Your name';
  const end = (/** @type {boolean} */ takes) => {
    if (takes) localStorage.setItem('sheetrack-person', field.value.trim());
    field.replaceWith(button);
    showPerson();
  };
  field.addEventListener('blur', () => field.isConnected && end(true));
  field.addEventListener('keydown', (/** @type {KeyboardEvent} */ { key }) => {
    if (key === 'Enter' || key === 'Escape') {
      if (key === 'Escape') field.value = localStorage.getItem('sheetrack-person') ?? '';
      field.blur();
    }
  });
  button.replaceWith(field);
  field.focus();
}

button.addEventListener('click', askPerson);
showPerson();
