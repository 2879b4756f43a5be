// Home: what needs a person, in words, each with the way to it.
function attention(kind, text, href, go) {
  return el('li.need.' + kind, {}, el('p', {}, text), href && el('a.btn.small', { href }, w(go)));
}

// allowed is undefined for what the person's roles do not let them see; the
// page says then which check is missing, and why.
let unseen = new Set();
const allowed = (asked) => asked.catch((e) => { if (e.status !== 403) throw e; unseen.add(e.message); });

// administrators are the people with any role and what they sign in with.
async function administrators() {
  const roles = await allRoles(), byID = new Map();
  await each(roles, async (r) => {
    for (const u of (await every('/directoryRoles/' + r.id + '/members?$top=999')).items) {
      const a = byID.get(u.id) ?? { ...u, roles: [] };
      a.roles.push(r.displayName);
      byID.set(u.id, a);
    }
  });
  const all = [...byID.values()];
  await each(all.slice(0, 100), async (a) => {
    const p = await allowed(get('/users/' + a.id + '/authentication/fido2Methods/cardea.effectivePolicy'));
    if (p) a.working = p.methods.filter((m) => m.allowed).length;
  });
  return all.sort((a, b) => (a.working ?? 99) - (b.working ?? 99) || a.displayName.localeCompare(b.displayName));
}

const nameList = (list) => listed.format(list.slice(0, 5).map((a) => a.displayName).concat(list.length > 5 ? [n('home.more', list.length - 5)] : []));

async function needs() {
  const out = [], metadata = JSON.parse(D.metadata);
  unseen = new Set();
  const [organisation, policy, impact, admins] = await Promise.all([get('/organization').then((o) => o.value[0]), allowed(get(fido2)), allowed(post(fido2 + '/cardea.previewChange', {})), administrators()]);
  const attested = !policy ? [] : policy.passkeyProfiles.filter((p) => p.attestationEnforcement === 'registrationOnly' && policy.includeTargets.some((t) => t.allowedPasskeyProfiles.includes(p.id)));
  if (policy && policy.state !== 'enabled') out.push(attention('bad', w('home.off'), '/admin/methods/passkey', 'home.off.go'));
  else if (policy && !policy.includeTargets.length) out.push(attention('bad', w('home.nobody'), '/admin/methods/passkey', 'home.off.go'));
  if (!metadata.number && attested.length) out.push(attention('bad', w('home.metadata.needed', { profiles: listed.format(attested.map((p) => '“' + p.name + '”')) })));
  else if (!metadata.number) out.push(attention('note', w('home.metadata.none')));
  else if (new Date(metadata.nextUpdate) < Date.now()) out.push(attention('warn', w('home.metadata.old', { error: metadata.failed ?? '' })));
  if (metadata.damaged) out.push(attention('bad', w('home.metadata.damaged')));
  const none = admins.filter((a) => a.working === 0), one = admins.filter((a) => a.working === 1);
  if (none.length) out.push(attention('bad', n('home.admins.none', none.length, { names: nameList(none) }), '#administrators', 'home.admins.go'));
  if (one.length) out.push(attention('warn', n('home.admins.one', one.length, { names: nameList(one) }), '#administrators', 'home.admins.go'));
  if (admins.filter((a) => a.roles.includes('Global Administrator')).length < 2) out.push(attention('warn', w('home.admins.single'), '/admin/users', 'home.people.go'));
  if (!organisation.cardea.breakGlassGroup) out.push(attention('warn', w('home.breakGlass'), '/admin/settings/organisation', 'home.organisation.go'));
  for (const x of impact?.warnings ?? []) out.push(attention('warn', warning(x, policy), '/admin/methods/passkey', 'home.off.go'));
  for (const why of unseen) out.push(attention('note', w('home.unseen', { why })));
  return { out, impact, admins };
}

function numbers(impact, peopleCount) {
  const tile = (figure, text, href) => el('a.tilebox', { href }, el('strong', {}, figure), el('span', {}, text));
  if (!impact) return el('div.tiles', {}, tile(digits.format(peopleCount), w('home.tile.all'), '/admin/users'));
  return el('div.tiles', {}, tile(digits.format(impact.users.total) + ' / ' + digits.format(peopleCount), w('home.tile.people'), '/admin/users'),
    tile(digits.format(impact.passkeys.total), w('home.tile.passkeys'), '/admin/methods/passkey'));
}

function home() {
  let asked;
  const got = () => asked ??= needs().catch((e) => { asked = undefined; throw e; });
  const count = () => send('GET', '/users/$count', { headers: { ConsistencyLevel: 'eventual' } }).then((r) => r.text());
  fill(content,
    part(w('home.attention'), async () => {
      const { out } = await got();
      return out.length ? el('ul.needs', {}, out) : el('p.msg.ok', {}, w('home.fine'));
    }),
    part(w('home.now'), async () => numbers((await got()).impact, Number(await count()))),
    part(w('home.failures'), async () => signInTable((await get('/auditLogs/signIns?$top=5&$filter=' + encodeURIComponent('status/errorCode ne 0'))).value), el('a', { href: '/admin/logs/sign-ins?result=failed' }, w('home.failures.all'))),
    Object.assign(part(w('home.administrators'), async () => {
      const { admins } = await got();
      return [table(w('home.administrators'), [
        ['col.name', (a) => el('a', { href: '/admin/users/' + a.id }, a.displayName)],
        ['col.roles', (a) => listed.format(a.roles)],
        ['col.passkeys', (a) => a.working === undefined ? '–' : a.working ? tag(n('home.works', a.working), a.working > 1 ? '.ok' : '.warn') : tag(w('home.works.none'), '.bad')],
      ], admins.slice(0, 100)), admins.length > 100 && el('p.mut', {}, w('home.administrators.more'))];
    }), { id: 'administrators' }));
}
