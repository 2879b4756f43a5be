// Elements, texts, numbers and times. No markup from strings anywhere: the
// pages run under trusted-types 'none'. W, the texts, is put before by
// internal/page.
const $ = (id) => document.getElementById(id);
const main = $('main'), D = main.dataset, content = $('content');
const locale = navigator.languages.find((l) => l.startsWith(document.documentElement.lang)) ?? document.documentElement.lang;
const digits = new Intl.NumberFormat(locale), listed = new Intl.ListFormat(locale);

// w is a text with its {variables}; n is one that counts, with its own wording
// for one where there is "<key>.1".
function w(key, v = {}) {
  return (W[key] ?? '[' + key + ']').replace(/\{(\w+)\}/g, (_, k) => typeof v[k] === 'number' ? digits.format(v[k]) : v[k] ?? '');
}
const n = (key, count, v) => w(count === 1 && W[key + '.1'] ? key + '.1' : key, { n: count, ...v });

// el makes an element: 'button.btn.main'. Properties that start with "on" are
// listeners; false and undefined leave a property out, true sets it empty.
// Children are elements, texts, lists of them, or nothing.
function el(what, props = {}, ...children) {
  const [tag, ...classes] = what.split('.');
  const e = document.createElement(tag);
  if (classes.length) e.className = classes.join(' ');
  for (const [k, v] of Object.entries(props)) {
    if (v === undefined || v === null || v === false) continue;
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (k === 'value') e.value = v;
    else if (k === 'checked') e.checked = v;
    else e.setAttribute(k, v === true ? '' : v);
  }
  return fill(e, children);
}
function fill(e, ...children) {
  e.replaceChildren(...children.flat(Infinity).filter((c) => c || c === 0));
  return e;
}

let ids = 0;
const freshID = () => 'i' + ++ids;

// when is a time in the viewer's zone: within the last day as "5 minutes ago",
// else day and minute, or the second if full. UTC stands in the title.
function when(text, full) {
  const at = new Date(text), s = (at - Date.now()) / 1000, a = -s;
  const ago = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  let said = at.toLocaleString(locale, full ? { dateStyle: 'medium', timeStyle: 'medium' } : { dateStyle: 'medium', timeStyle: 'short' });
  if (!full && a >= 0 && a < 86400) said = a < 60 ? ago.format(Math.round(s), 'second') : a < 3600 ? ago.format(Math.round(s / 60), 'minute') : ago.format(Math.round(s / 3600), 'hour');
  return el('time', { datetime: at.toISOString(), title: at.toISOString().replace('T', ' ').slice(0, 19) + ' UTC' }, said);
}

// The parts of the address that keep a view: /admin/users?q=ada.
const query = new URLSearchParams(location.search);
function keep(values) {
  for (const [k, v] of Object.entries(values)) if (v) query.set(k, v); else query.delete(k);
  history.replaceState(null, '', location.pathname + (query.size ? '?' + query : ''));
}
const lastPart = () => decodeURIComponent(location.pathname.split('/').filter(Boolean).pop());

function later(wait, act) {
  let timer;
  return (...args) => { clearTimeout(timer); timer = setTimeout(() => act(...args), wait); };
}
