// The whole script of the pages for people: passkey ceremonies, steps, signals,
// local times, copy buttons. No dependency, no markup from strings: it runs
// under trusted-types 'none'. W, the texts, is put before it by internal/page.
const main = document.querySelector('main'), D = main.dataset, P = window.PublicKeyCredential;
const $ = (id) => document.getElementById(id), all = (q) => [...document.querySelectorAll(q)];
const fill = (key, v = {}) => W[key].replace(/{(\w+)}/g, (_, k) => v[k] ?? document.body.dataset.org);
const status = $('status');
let can = {};

// The only thing kept on the device: that a passkey worked here once (UX-S9).
const kept = (set) => { try { return set ? localStorage.setItem('passkey', '1') : localStorage.getItem('passkey'); } catch { return null; } };

function say(text, kind = '') {
  if (!status) return;
  status.className = 'status' + (text ? ' msg ' + kind : '');
  status.textContent = text;
}

// bytes and text: every browser with passkeys can do these, unlike the newer
// JSON methods, which password managers also replace with broken ones.
const bytes = (s) => Uint8Array.from(atob(s.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const text = (b) => btoa(Array.from(new Uint8Array(b), (c) => String.fromCharCode(c)).join('')).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
function options(o) {
  const list = (l) => l?.map((c) => ({ ...c, id: bytes(c.id) }));
  const p = { ...o, challenge: bytes(o.challenge) };
  if (o.user) p.user = { ...o.user, id: bytes(o.user.id) };
  if (o.allowCredentials) p.allowCredentials = list(o.allowCredentials);
  if (o.excludeCredentials) p.excludeCredentials = list(o.excludeCredentials);
  return p;
}
function credential(c) {
  const response = {};
  for (const k of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) if (c.response[k]) response[k] = text(c.response[k]);
  if (c.response.getTransports) response.transports = c.response.getTransports();
  return { id: c.id, rawId: text(c.rawId), type: c.type, response, authenticatorAttachment: c.authenticatorAttachment ?? undefined, clientExtensionResults: c.getClientExtensionResults() };
}

async function post(url, body) {
  let r;
  try {
    r = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json', Accept: 'application/json' }, body: JSON.stringify(body) });
  } catch { throw { name: 'offline' }; }
  const j = await r.json().catch(() => ({}));
  if (!r.ok) throw { ...j.error, name: 'server', status: r.status, after: r.headers.get('Retry-After') };
  return j;
}

// One WebAuthn call at a time: begin aborts the one that waits.
let waiting, renew;
function begin() {
  clearTimeout(renew);
  waiting?.abort();
  waiting = new AbortController();
  return waiting.signal;
}

// ceremony asks for options, lets the browser act, sends the result. An expired
// challenge is renewed once, silently (UX-E9).
async function ceremony(ask, act, send, again) {
  const o = await ask();
  const c = await act(options(o.publicKey));
  try { return await send({ state: o.state, credential: credential(c) }); } catch (e) {
    e.acted = true;
    if (e.code === 'challengeExpired' && again) return ceremony(ask, act, send, false);
    // The person is signed in and a rule refused the new passkey: hide it (UX-C8).
    if (o.publicKey.rp && D.user && e.rule && e.status < 500) P.signalUnknownCredential?.({ rpId: o.publicKey.rp.id, credentialId: c.id })?.catch(() => {});
    throw e;
  }
}
function get(mediation) {
  const signal = begin(), flow = D.flow || undefined;
  return ceremony(() => post(D.get + '/options', { flow }), (publicKey) => {
    if (signal.aborted) throw { name: 'AbortError' };
    return navigator.credentials.get({ publicKey, signal, mediation });
  }, (b) => post(D.get, b), true);
}
function create() {
  const signal = begin();
  return ceremony(() => post(D.options, { flow: D.flow || undefined }), (publicKey) => {
    if (D.hint) publicKey.hints = [D.hint];
    return navigator.credentials.create({ publicKey, signal });
  }, (b) => post(D.finish, b), true);
}

// explain shows what a failed ceremony means: by name, never by message. The
// browser's own failures are reported once, without anything about a person.
let failures = 0;
function explain(e, kind) {
  if (e.name === 'AbortError') return say('');
  const calm = e.name === 'NotAllowedError' || e.name === 'InvalidStateError';
  if (e.name === 'offline') return say(fill('offline'), 'err');
  // A rule refused a proved person: a page of its own says which (UX-E8).
  if (e.rule && kind !== 'create' && $('get')?.dataset.try === undefined) return location.replace('/signin/blocked?flow=' + encodeURIComponent(D.flow));
  if (e.name !== 'server') {
    fetch('/signin/report', { method: 'POST', keepalive: true, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ kind, name: String(e.name).slice(0, 64), flow: D.flow || undefined }) }).catch(() => {});
    const more = ++failures > 1 && kind === 'get' && calm;
    $('ways')?.classList.toggle('btn', more);
    return say(W[e.name] ? fill(e.name) + (more ? ' ' + W.phone : '') : fill('other', { code: e.name }), calm ? '' : 'err');
  }
  if (e.status === 429) return say(fill('tooMany', { time: new Date(Date.now() + (e.after || 60) * 1000).toLocaleTimeString(locale, { timeStyle: 'short' }) }), 'err');
  if (e.code === 'challengeExpired') return say(W.expired);
  // The proof is too old by now: prove again, and come back (UX-C5).
  if (e.code === 'ngcMfaRequired' || e.code === 'signInRequired') return location.assign('/signin?next=' + encodeURIComponent(location.pathname + location.search));
  if (e.status >= 500 || !e.message) return say(fill('ours', { id: e.correlationId ?? '–' }), 'err');
  say(e.message, 'err');
  if (!e.rule || !status) return;
  // A refusal by a rule can be told to the help desk (UX-E8).
  const facts = document.createElement('p'), copy = document.createElement('button'), help = document.createElement('a');
  facts.className = 'meta';
  facts.textContent = fill('rule', { rule: e.rule, profile: e.profile, id: e.correlationId });
  status.append(facts);
  const text = e.message + ' ' + facts.textContent;
  copy.type = 'button';
  copy.className = 'btn';
  copy.textContent = W.copy;
  copy.addEventListener('click', () => copied(copy, text));
  help.href = '/signin/help';
  help.className = 'inline';
  help.textContent = W.help;
  status.append(copy, help);
}

async function copied(button, text) {
  const said = button.textContent;
  await navigator.clipboard.writeText(text);
  button.textContent = W.copied;
  setTimeout(() => { button.textContent = said; }, 2000);
}

// Steps of the page that creates a passkey. The button that had the focus goes
// away, so the focus moves to the new heading and says where we are.
function step(name) {
  for (const s of all('[data-step]')) s.hidden = s.dataset.step !== name;
  main.querySelector('[data-step=' + name + '] h1').focus();
}

// busy keeps the button where it is and says that we wait (UX-A5).
const on = (id, act) => $(id)?.addEventListener('click', async (ev) => {
  const b = ev.currentTarget;
  if (b.getAttribute('aria-disabled')) return;
  b.setAttribute('aria-disabled', 'true');
  say(W.waiting);
  try { await act(); } finally { b.removeAttribute('aria-disabled'); }
});

on('get', async () => {
  try {
    const r = await get();
    kept(true);
    if ($('get').dataset.try === undefined) { say(W.checking); return location.replace(r.next); }
    say(W.works, 'ok');
    $('get').hidden = true;
    for (const a of all('[data-next]:not(main)')) { a.classList.add('main'); a.focus(); }
  } catch (e) { explain(e, 'get'); autofill(); }
});

let made;
on('create', async () => {
  try {
    made = await create();
    kept(true);
    say('');
    $('n').value = made.name ?? '';
    step('name');
  } catch (e) {
    explain(e, 'create');
    for (const f of all('[name=failed]')) f.value = '1';
  }
});
$('naming')?.addEventListener('submit', async (ev) => {
  ev.preventDefault();
  const displayName = $('n').value.trim();
  try {
    if (displayName && displayName !== made.name) await post(D.finish + '/' + encodeURIComponent(made.id) + '/rename', { displayName });
    say('');
    step('done');
  } catch (e) { explain(e, 'rename'); }
});
$('unnamed')?.addEventListener('click', () => { say(''); step('done'); });

// Autofill: the passkeys stand in the list of the username field. The options
// are renewed before the challenge ends (UX-A2, WA-25).
let rounds = 0;
async function autofill() {
  if (D.autofill === undefined || !can.conditionalGet) return;
  const call = get('conditional');
  renew = setTimeout(autofill, 9 * 60e3);
  try {
    const r = await call;
    kept(true);
    location.replace(r.next);
  } catch (e) {
    // What the person did not start is not worth a message.
    if (!e.acted) return;
    clearTimeout(renew);
    explain(e, 'autofill');
    // A device may answer by itself: a refused passkey must not go round for ever.
    if (e.name === 'server' && e.status < 500 && e.status !== 429 && ++rounds < 3) autofill();
  }
}

// The page's language as spoken where the person is.
const lang = document.documentElement.lang, locale = navigator.languages.find((l) => l.startsWith(lang)) ?? lang;
// A time in the person's own zone: today 10:31, or 3 Nov 2026.
for (const t of all('time[data-as]')) {
  const at = new Date(t.dateTime), days = Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 864e5);
  const day = Math.abs(days) < 2 ? new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(days, 'day') : at.toLocaleDateString(locale, { dateStyle: 'medium' });
  t.title = t.textContent;
  t.textContent = day + (t.dataset.as === 'moment' ? ' ' + at.toLocaleTimeString(locale, { timeStyle: 'short' }) : '');
}
for (const b of all('[data-copy]')) b.addEventListener('click', () => copied(b, $(b.dataset.copy).innerText.trim()));
for (const b of all('[data-show]')) b.addEventListener('change', () => { $(b.dataset.show).type = b.checked ? 'text' : 'password'; });

// The hop to the application is a navigation of its own (form-action, ux.md §1.3).
if (D.go) location.replace(D.go);
document.querySelector('form[data-submit]')?.submit();

can = await (P?.getClientCapabilities?.() ?? (async () => ({ conditionalGet: await P?.isConditionalMediationAvailable?.(), passkeyPlatformAuthenticator: await P?.isUserVerifyingPlatformAuthenticatorAvailable?.() }))());
if (!P) {
  for (const id of ['get', 'create']) if ($(id)) $(id).hidden = true;
  if ($('webview')) { $('here').textContent = location.origin + location.pathname; $('webview').hidden = false; }
}
if (D.options && D.hint !== 'security-key' && can.passkeyPlatformAuthenticator === false) {
  delete D.hint;
  for (const s of all('[data-if]')) s.hidden = s.dataset.if === 'here';
}
// Tell password managers what exists, for a signed-in person only (PK-124).
if (D.user && D.ids !== undefined && P) {
  const rpId = D.rp, userId = D.user;
  P.signalAllAcceptedCredentials?.({ rpId, userId, allAcceptedCredentialIds: D.ids.split(' ').filter(Boolean) }).catch(() => {});
  P.signalCurrentUserDetails?.({ rpId, userId, name: D.name, displayName: D.person }).catch(() => {});
}
if (kept() && $('next') && P) { $('next').classList.remove('main'); $('get').classList.add('main'); }
autofill();
