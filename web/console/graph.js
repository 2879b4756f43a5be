// The client of the API. The token lives here and nowhere else.
let token, renewAt = 0, asking;

// Trouble is a refusal, as the API explains it.
class Trouble extends Error {
  constructor(status, e = {}) {
    super(e.message || w(status ? 'trouble.ours' : 'trouble.offline'));
    this.status = status;
    this.code = e.innerError?.code ?? e.code ?? '';
    this.id = e.innerError?.['request-id'] ?? e.correlationId ?? '';
    this.target = e.target ?? '';
  }
  // signIn: the session is over, or not strong enough any more.
  get signIn() { return this.status === 401; }
}

async function request(path, options) {
  try { return await fetch(path, options); } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Trouble(0);
  }
}
async function refused(r) {
  const j = await r.json().catch(() => ({}));
  return new Trouble(r.status, j.error);
}

async function authorize() {
  if (token && performance.now() < renewAt) return token;
  asking ??= (async () => {
    const r = await request('/admin/token', { method: 'POST', headers: { 'Content-Type': 'application/json', Accept: 'application/json' }, body: '{}' });
    if (!r.ok) throw await refused(r);
    token = (await r.json()).accessToken;
    renewAt = performance.now() + 8 * 60e3; // it lives ten minutes
    return token;
  })().finally(() => { asking = undefined; });
  return asking;
}

// send calls the API and gives the whole answer. An expired token is replaced
// once.
async function send(method, path, { body, headers, signal } = {}, again = true) {
  const r = await request(path.startsWith('/beta') ? path : '/beta' + path, {
    method, signal, headers: { Authorization: 'Bearer ' + await authorize(), ...body && { 'Content-Type': 'application/json' }, ...headers }, body: body && JSON.stringify(body),
  });
  if (r.status === 401 && again) {
    token = undefined;
    return send(method, path, { body, headers, signal }, false);
  }
  if (!r.ok) throw await refused(r);
  return r;
}
const json = async (r) => { const t = await (await r).text(); return t ? JSON.parse(t) : {}; };
const get = (path, options) => json(send('GET', path, options));
const post = (path, body = {}) => json(send('POST', path, { body }));
const patch = (path, body, etag) => send('PATCH', path, { body, headers: etag && { 'If-Match': etag } });
const remove = (path) => send('DELETE', path);

// rest is the address of the next page, "" if there is none.
const rest = (list) => { const next = list['@odata.nextLink']; return next ? new URL(next).pathname + new URL(next).search : ''; };

// every reads all pages of a list, up to five; more says that there are others.
async function every(path) {
  let l = await get(path);
  const items = [...l.value];
  for (let pages = 1; rest(l) && pages < 5; pages++) {
    l = await get(rest(l));
    items.push(...l.value);
  }
  return { items, more: Boolean(rest(l)) };
}

// each runs f for every item, six at a time, and keeps the order.
async function each(items, f) {
  const out = [];
  let at = 0;
  const worker = async () => { while (at < items.length) { const i = at++; out[i] = await f(items[i]); } };
  await Promise.all(Array.from({ length: 6 }, worker));
  return out;
}

const quoted = (s) => "'" + s.replaceAll("'", "''") + "'";
// found lists people or groups whose name holds text.
const found = (set, text, options) => get('/' + set + '?$count=true&$top=50' + (text ? '&$search=' + encodeURIComponent('"' + text.replace(/["\\]/g, ' ').trim() + '"') : ''), { headers: { ConsistencyLevel: 'eventual' }, ...options });
const ref = (id) => ({ '@odata.id': location.origin + '/v1.0/directoryObjects/' + id });
