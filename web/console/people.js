// People: find one, or make one. Lists of people and groups look alike.
function listPage({ set, key, columns, make, more }) {
  const seek = el('input', { type: 'search', value: query.get('q') ?? '', autocomplete: 'off', spellcheck: 'false' });
  const place = el('div'), total = el('p.mut', { role: 'status' });
  let running;
  const show = (path) => load(place, async () => {
    running?.abort();
    running = new AbortController();
    const text = seek.value.trim(), { signal } = running;
    const l = path ? await get(path, { headers: { ConsistencyLevel: 'eventual' }, signal }) : await found(set, text, { signal });
    if (l['@odata.count'] !== undefined) fill(total, n(key + '.total', l['@odata.count']));
    const next = rest(l);
    if (!l.value.length) return text ? el('p.empty', {}, w(key + '.noMatch', { q: text }), ' ', button('clear', () => { seek.value = ''; again(); })) : el('p.empty', {}, w(key + '.none'));
    return [table(w('title.' + key), columns, l.value), el('div.act.pages', {}, path && button('page.first', () => show()), next && button('page.next', () => show(next).then(() => { total.scrollIntoView(); })))];
  });
  const again = () => { keep({ q: seek.value.trim() }); show(); };
  seek.addEventListener('input', later(250, again));
  fill(content, el('div.tools', {}, field(key + '.find', seek), make && el('button.btn.main', { type: 'button', onclick: make }, w(key + '.new'))), total, place, more);
  show();
}

function users() {
  listPage({ set: 'users', key: 'users', make: newPerson, columns: [
    ['col.name', (u) => el('a', { href: '/admin/users/' + u.id }, u.displayName)], ['col.userName', (u) => u.userPrincipalName], ['col.job', (u) => u.jobTitle ?? '–'], ['col.mail', (u) => u.mail ?? '–'],
  ] });
}

async function newPerson() {
  const b = box(w('users.new'));
  const domain = await get('/organization').then((o) => o.value[0].verifiedDomains[0].name, () => '');
  const name = el('input', { type: 'text', required: true, maxlength: '256', autocomplete: 'off' }), user = el('input', { type: 'text', required: true, autocomplete: 'off', spellcheck: 'false', autocapitalize: 'none' });
  const mail = el('input', { type: 'email', autocomplete: 'off' });
  const go = el('button.btn.main', {}, w('users.create')), slot = el('div');
  const act = doing(() => go, slot, async () => {
    const upn = user.value.includes('@') || !domain ? user.value.trim() : user.value.trim() + '@' + domain;
    const u = await post('/users', { displayName: name.value.trim(), userPrincipalName: upn, mail: mail.value.trim() || upn, userType: 'Member', accountEnabled: true });
    location.assign('/admin/users/' + u.id);
  });
  fill(b.body, el('form', { onsubmit: act }, field('users.name', name), field('users.userName', user, domain ? w('users.userName.hint', { domain }) : w('users.userName.full')), field('users.mail', mail, w('users.mail.hint')), slot,
    el('div.act', {}, go, el('button.btn', { type: 'button', onclick: b.close }, w('cancel')))));
  name.focus();
}
