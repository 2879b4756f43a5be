// Groups and their members.
function groupsPage() {
  listPage({ set: 'groups', key: 'groups', make: () => groupForm(), columns: [['col.name', (g) => el('a', { href: '/admin/groups/' + g.id }, g.displayName)], ['col.description', (g) => g.description ?? '–'], ['user.created', (g) => when(g.createdDateTime)]] });
}

// groupForm makes a group, or changes one.
function groupForm(g, saved) {
  const b = box(w(g ? 'group.edit' : 'groups.new')), name = el('input', { type: 'text', required: true, maxlength: '256', value: g?.displayName ?? '', autocomplete: 'off' });
  const text = el('input', { type: 'text', maxlength: '1000', value: g?.description ?? '', autocomplete: 'off' });
  const go = el('button.btn.main', {}, w(g ? 'save' : 'groups.create')), slot = el('div');
  const act = doing(() => go, slot, async () => {
    const body = { displayName: name.value.trim(), description: text.value.trim() };
    if (!g) return location.assign('/admin/groups/' + (await post('/groups', { ...body, mailEnabled: false, securityEnabled: true, mailNickname: 'group', groupTypes: [] })).id);
    await patch('/groups/' + g.id, body);
    b.close();
    saved();
  });
  fill(b.body, el('form', { onsubmit: act }, field('col.name', name), field('col.description', text), slot, el('div.act', {}, go, el('button.btn', { type: 'button', onclick: b.close }, w('cancel')))));
  name.focus();
}

async function groupPage() {
  await load(content, async () => {
    const g = await get('/groups/' + lastPart());
    document.title = g.displayName + ' – ' + document.body.dataset.org;
    fill($('title'), g.displayName);
    fill($('lead'), g.description ?? w('group.lead'));
    const members = part(w('group.members'), () => memberList(g, () => members.again()));
    return [el('div.act.top', {}, el('button.btn', { type: 'button', onclick: () => groupForm(g, groupPage) }, w('group.edit')), el('button.btn', { type: 'button', onclick: () => dropGroup(g) }, w('group.delete'))),
      members, part(w('group.used'), () => usedBy(g))];
  });
}

// memberList shows the direct members, groups first, and adds to them.
async function memberList(g, again) {
  const { items, more } = await every('/groups/' + g.id + '/members?$top=999&$select=id,displayName,userPrincipalName');
  const all = items.map((m) => ({ ...m, type: m['@odata.type'].endsWith('group') ? 'group' : 'user' }));
  all.sort((a, b) => a.type.localeCompare(b.type) || a.displayName.localeCompare(b.displayName));
  const shown = 100, filter = el('input', { type: 'search', autocomplete: 'off' }), place = el('div'), slot = el('div');
  const show = () => {
    const text = filter.value.trim().toLowerCase(), hits = all.filter((m) => (m.displayName + ' ' + (m.userPrincipalName ?? '')).toLowerCase().includes(text));
    fill(place, !all.length ? el('p.empty', {}, w('group.empty')) : !hits.length ? el('p.empty', {}, w('group.noMatch')) : [table(w('group.members'), [
      ['col.name', (m) => el('a', { href: '/admin/' + m.type + 's/' + m.id }, m.displayName)], ['col.userName', (m) => m.userPrincipalName ?? tag(w('kind.group'))],
      ['col.act', (m) => el('button.btn.small', { type: 'button', 'aria-label': w('group.removeName', { name: m.displayName }), onclick: () => ask(w('group.remove.ask', { name: m.displayName }), w('group.remove.text', { group: g.displayName }), w('group.remove'), async () => { await remove('/groups/' + g.id + '/members/' + m.id + '/$ref'); again(); }) }, w('group.remove'))],
    ], hits.slice(0, shown)), hits.length > shown && el('p.mut', {}, w('group.first', { n: shown }))]);
  };
  filter.addEventListener('input', later(150, show));
  show();
  const add = finder('group.add', async (text, signal) => (await Promise.all([people(text, signal), groups(text, signal)])).flat().filter((f) => f.id !== g.id && !all.some((m) => m.id === f.id)), async (t) => {
    try { await post('/groups/' + g.id + '/members/$ref', ref(t.id)); again(); } catch (e) { fill(slot, report(e)); }
  });
  return [el('p.mut', {}, n(more ? 'group.total.more' : 'group.total', all.length)), add, slot, all.length > 20 && field('group.filter', filter), place];
}

// usedBy: a group that rules depend on says so.
async function usedBy(g) {
  const [p, o] = await Promise.all([get(fido2), get('/organization').then((l) => l.value[0])]);
  const out = p.includeTargets.filter((t) => t.id === g.id).flatMap((t) => t.allowedPasskeyProfiles).map((id) => p.passkeyProfiles.find((x) => x.id === id)).filter(Boolean)
    .map((x) => el('li', {}, w('group.used.profile') + ' ', el('a', { href: '/admin/methods/passkey?profile=' + x.id }, x.name)));
  if (p.excludeTargets.some((t) => t.id === g.id)) out.push(el('li', {}, w('group.used.excluded')));
  if (o.cardea.breakGlassGroup === g.id) out.push(el('li', {}, w('group.used.breakGlass')));
  return out.length ? el('ul.plain', {}, out) : el('p.empty', {}, w('group.used.none'));
}

async function dropGroup(g) {
  const uses = (await usedBy(g)).children.length;
  ask(w('group.delete.ask', { name: g.displayName }), [w('group.delete.text'), uses && w('group.delete.used')].filter(Boolean), w('group.delete'), async () => { await remove('/groups/' + g.id); location.assign('/admin/groups'); });
}
