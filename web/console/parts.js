// What the pages are made of.
const status = $('say');
function say(text, kind = 'ok') {
  status.className = 'say msg ' + kind;
  fill(status, text);
}
function hush() { status.className = 'say'; fill(status); }

// report shows what went wrong in place of what failed: the words of the API,
// its request id, and a way on.
function report(e, again) {
  // A role that is missing is no fault, and trying again does not help.
  if (e.status === 403) return el('div.msg', { role: 'alert' }, e.message);
  const parts = [el('p', {}, e.signIn ? w('trouble.signIn') : e.message)];
  if (e.id) parts.push(el('p.meta', {}, w('trouble.id') + ' ', el('code', {}, e.id), ' ', copyButton(e.id)));
  if (e.signIn) parts.push(el('p', {}, el('a', { href: '/signin?next=' + encodeURIComponent(location.pathname + location.search), target: '_blank' }, w('trouble.signIn.go'))));
  if (again) parts.push(button('trouble.again', again));
  if (!(e instanceof Trouble)) console.error(e);
  return el('div.msg.err', { role: 'alert' }, parts);
}

const button = (key, act, kind = '') => el('button.btn.small' + kind, { type: 'button', onclick: act }, w(key));

// doing runs act for a form or a button: once at a time, with its failure in slot.
function doing(trigger, slot, act) {
  return async (ev) => {
    ev?.preventDefault();
    if (trigger().getAttribute('aria-disabled')) return;
    trigger().setAttribute('aria-disabled', 'true');
    fill(slot);
    try { await act(); } catch (e) {
      fill(slot, report(e));
      slot.scrollIntoView({ block: 'nearest' });
    } finally { trigger().removeAttribute('aria-disabled'); }
  };
}

function copyButton(text, key = 'copy') {
  const b = el('button.btn.small', { type: 'button' }, w(key));
  b.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text);
    fill(b, w('copied'));
    setTimeout(() => fill(b, w(key)), 2000);
  });
  return b;
}

// load shows f's result in place, a quiet note while it takes long, or the
// trouble with a way to try again.
async function load(place, f) {
  const slow = setTimeout(() => fill(place, el('p.mut', {}, w('loading'))), 300);
  place.setAttribute('aria-busy', 'true');
  try {
    const got = await f();
    clearTimeout(slow);
    if (got !== undefined) fill(place, got);
  } catch (e) {
    clearTimeout(slow);
    if (e.name !== 'AbortError') fill(place, report(e, () => load(place, f)));
  } finally { place.removeAttribute('aria-busy'); }
}
// part is a section that loads and fails by itself.
function part(title, f, ...beside) {
  const id = freshID(), body = el('div');
  load(body, f);
  return Object.assign(el('section', { 'aria-labelledby': id }, el('div.head', {}, el('h2', { id }, title), beside), body), { again: () => load(body, f) });
}

// A box asks or shows something on top of the page: Esc closes it, the focus
// returns to where it came from. wide ones are drawers at the right.
function box(title, wide) {
  const id = freshID(), body = el('div.inner');
  // shut may be refused by who listens to cancel; close may not.
  const shut = () => d.requestClose ? d.requestClose() : d.close();
  const close = el('button.close', { type: 'button', 'aria-label': w('close'), onclick: shut });
  const heading = el('h2', { id, tabindex: '-1' }, title);
  const d = el('dialog' + (wide ? '.drawer' : '.box'), { 'aria-labelledby': id }, el('div.head', {}, heading, close), body);
  d.addEventListener('close', () => d.remove());
  document.body.append(d);
  d.showModal();
  heading.focus();
  return { d, body, heading, shut, close: () => d.close() };
}

// ask confirms an act by name and runs it.
function ask(title, text, go, act) {
  const b = box(title), slot = el('div');
  const yes = el('button.btn.danger', { type: 'button' }, go);
  yes.addEventListener('click', doing(() => yes, slot, async () => { await act(); b.close(); }));
  fill(b.body, [text].flat().map((t) => el('p', {}, t)), slot, el('div.act', {}, yes, el('button.btn', { type: 'button', onclick: b.close }, w('cancel'))));
}

// field is a label with its control and a hint.
function field(key, control, hint) {
  control.id ||= freshID();
  const h = hint && el('p.hint', { id: control.id + 'h' }, hint);
  if (h) control.setAttribute('aria-describedby', h.id);
  return el('div.field', {}, el('label', { for: control.id }, w(key)), control, h);
}
const check = (input, ...label) => el('label.check', {}, input, el('span', {}, label));
const tag = (text, kind = '') => el('span.tag' + kind, {}, text);

// table: columns are [key, cell function]; on phones each row becomes a card
// whose cells carry the column's name.
function table(caption, columns, rows) {
  return el('div.scroll', {}, el('table', {}, el('caption', {}, caption),
    el('thead', {}, el('tr', {}, columns.map(([key]) => el('th', { scope: 'col' }, w(key))))),
    el('tbody', {}, rows.map((row) => el('tr', {}, columns.map(([key, cell], i) =>
      el(i ? 'td' : 'th', { scope: i ? undefined : 'row', 'data-label': i ? w(key) : undefined }, el('div', {}, cell(row)))))))));
}
const facts = (rows) => el('dl.facts', {}, rows.filter(([, v]) => v || v === 0).map(([k, v]) => el('div', {}, el('dt', {}, w(k)), el('dd', {}, v))));

// finder is a field that finds people, groups or roles by name. pick gets the
// chosen one.
function finder(key, find, pick, hint) {
  const input = el('input', { type: 'search', autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'search' });
  const results = el('ul.found'), told = el('p.hint', { role: 'status' });
  let running;
  const search = later(250, async () => {
    running?.abort();
    running = new AbortController();
    const text = input.value.trim();
    if (!text) { fill(results); fill(told); return; }
    try {
      const items = await find(text, running.signal);
      fill(told, items.length ? n('find.some', items.length) : w('find.none'));
      fill(results, items.slice(0, 20).map((i) => el('li', {}, el('button', { type: 'button', onclick: () => {
        pick(i);
        input.value = '';
        fill(results);
        fill(told, w('find.picked', { name: i.name }));
        input.focus();
      } }, el('strong', {}, i.name), el('span', {}, i.note)))));
      if (document.activeElement === input) results.scrollIntoView({ block: 'nearest' });
    } catch (e) { if (e.name !== 'AbortError') fill(told, e.message); }
  });
  input.addEventListener('input', search);
  input.addEventListener('keydown', (ev) => {
    if (ev.key === 'Enter') { ev.preventDefault(); results.querySelector('button')?.click(); }
    if (ev.key === 'Escape' && input.value) { ev.preventDefault(); input.value = ''; fill(results); fill(told); }
  });
  return el('div.finder', {}, field(key, input, hint), told, results);
}

// chips show what is chosen and let it be taken away.
function chips(items, drop) {
  if (!items.length) return el('p.mut', {}, w('chips.none'));
  return el('ul.chips', {}, items.map((i) => el('li', {}, el('span', { title: i.note }, i.name), drop && el('button', { type: 'button', 'aria-label': w('chips.drop', { name: i.name }), onclick: () => drop(i) }))));
}

// Names of those who make passkeys.
const providers = D.providers ? JSON.parse(D.providers) : [];
const maker = new Map(providers.flatMap((p) => p.ids.map((id) => [id, p])));
const unnamed = '00000000-0000-0000-0000-000000000000';
const makerName = (id) => maker.get(id)?.name ?? (id === unnamed ? w('provider.unnamed') : w('provider.nameless', { id: id.slice(0, 8) }));

// What people, groups and roles are called. Asked once each.
const people = (text, signal) => found('users', text, { signal }).then((l) => l.value.map((u) => ({ type: 'user', id: u.id, name: u.displayName, note: u.userPrincipalName, found: true })));
const groups = (text, signal) => found('groups', text, { signal }).then((l) => l.value.map((g) => ({ type: 'group', id: g.id, name: g.displayName, note: g.description || w('kind.group'), found: true })));
let roleList;
const allRoles = () => roleList ??= get('/directoryRoles').then((l) => l.value);
const roles = async (text) => (await allRoles()).filter((r) => r.displayName.toLowerCase().includes(text.toLowerCase())).map((r) => ({ type: 'group', id: r.id, name: r.displayName, note: w('kind.role') }));
const named = new Map();
function nameOf(type, id) {
  const key = type + '/' + id;
  if (!named.has(key)) named.set(key, (async () => {
    if (id === 'all_users') return { type, id, name: w('target.all'), note: w('target.all') };
    const role = type === 'group' && (await allRoles().catch(() => [])).find((r) => r.id === id);
    if (role) return { type, id, name: role.displayName, note: w('kind.role') };
    try {
      const o = await get('/' + type + 's/' + id);
      return { type, id, name: o.displayName, note: o.userPrincipalName ?? (o.description || w('kind.' + type)), found: true };
    } catch (e) { return { type, id, name: e.status === 404 ? w('target.gone') : id, note: id }; }
  })());
  return named.get(key);
}
const linkTo = (t) => t.found ? el('a', { href: '/admin/' + t.type + 's/' + t.id }, t.name) : t.name;
