// One person: the ways they sign in, what today's rules say about each, and
// the way back in for who lost them.
let person;
async function personPage(done) {
  await load(content, async () => {
    person = await get('/users/' + lastPart() + '?$select=id,displayName,userPrincipalName,mail,department,jobTitle,accountEnabled,userType,createdDateTime');
    document.title = person.displayName + ' – ' + document.body.dataset.org;
    fill($('title'), person.displayName);
    fill($('lead'), el('span', {}, person.userPrincipalName), ' ', copyButton(person.userPrincipalName), ' ', !person.accountEnabled && tag(w('user.disabled'), '.bad'));
    if (done) say(done);
    const self = person.id === D.me, at = '/users/' + person.id;
    return [el('div.act.top', {}, self ? el('a.btn', { href: '/security-info' }, w('user.self')) : [
        el('button.btn.main', { type: 'button', onclick: issuePass }, w('pass.issue')), el('button.btn', { type: 'button', onclick: issueLink }, w('link.issue'))],
        el('button.btn', { type: 'button', onclick: () => ask(w('everywhere.ask', { name: person.displayName }), w('everywhere.text'), w('everywhere.go'), async () => { await post(at + '/revokeSignInSessions'); say(w('everywhere.done', { name: person.displayName })); }) }, w('everywhere.go')),
        !self && el('button.btn', { type: 'button', onclick: toggleAccount }, w(person.accountEnabled ? 'user.disable' : 'user.enable'))),
      waysPart = part(w('user.ways'), ways), part(w('user.profiles'), effective), part(w('user.groups'), memberOf), rolesPart = part(w('user.roles'), personRoles),
      part(w('user.signins'), async () => signInTable((await get('/auditLogs/signIns?$top=10&$filter=' + encodeURIComponent('userId eq ' + quoted(person.id)))).value, true), el('a', { href: '/admin/logs/sign-ins?user=' + encodeURIComponent(person.userPrincipalName) }, w('user.signins.all'))),
      part(w('user.about'), async () => facts([['col.mail', person.mail], ['user.department', person.department], ['col.job', person.jobTitle], ['user.type', person.userType], ['user.created', when(person.createdDateTime)], ['user.id', el('span', {}, el('code', {}, person.id), ' ', copyButton(person.id))]]))];
  });
}
let waysPart, rolesPart;

const toggleAccount = () => {
  const off = person.accountEnabled;
  ask(w(off ? 'user.disable.ask' : 'user.enable.ask', { name: person.displayName }), w(off ? 'user.disable.text' : 'user.enable.text'), w(off ? 'user.disable' : 'user.enable'), async () => {
    await patch('/users/' + person.id, { accountEnabled: !off });
    personPage(w('saved'));
  });
};

// effectivePolicy is asked by two parts of the page.
const effectivePolicy = () => get('/users/' + person.id + '/authentication/fido2Methods/cardea.effectivePolicy');

async function ways() {
  const [all, policy] = await Promise.all([get('/users/' + person.id + '/authentication/methods').then((l) => l.value), effectivePolicy()]);
  const judged = new Map(policy.methods.map((m) => [m.id, m]));
  if (!all.length) return el('p.empty', {}, w('user.none'));
  return el('ul.cards', {}, all.map((m) => {
    const kind = m['@odata.type'].split('.').pop().replace('AuthenticationMethod', '');
    return kind === 'fido2' ? passkeyCard(m, judged.get(m.id), policy.state) : otherCard(m, kind);
  }));
}

function passkeyCard(m, j, state) {
  const fine = j?.allowed;
  const name = m.model ?? makerName(m.aaGuid);
  return el('li.item' + (fine ? '' : '.bad'), {}, el('div.what', {}, el('h3', {}, m.displayName), name !== m.displayName && el('p.mut', { title: m.aaGuid }, name),
    el('p.tags', {}, tag(w('type.' + m.passkeyType)), m.attestationLevel === 'attested' && tag(w('passkey.attested')), fine ? tag(w('passkey.accepted', { profile: j.by?.name ?? '' }), '.ok') : tag(w('passkey.refused'), '.bad')),
    !fine && el('p.why', {}, j?.reasons.length ? reasons(j.reasons) : w('state.' + state)),
    el('p.meta', {}, w('passkey.created') + ' ', when(m.createdDateTime), ' · ', m.lastUsedDateTime ? [w('passkey.used') + ' ', when(m.lastUsedDateTime)] : w('passkey.unused'))),
  el('div.act', {}, el('button.btn.small', { type: 'button', 'aria-label': w('passkey.renameName', { name: m.displayName }), onclick: () => renamePasskey(m) }, w('rename')), deleteWay(m, m.displayName, 'fido2Methods')));
}

function renamePasskey(m) {
  const b = box(w('passkey.renameName', { name: m.displayName })), name = el('input', { type: 'text', value: m.displayName, maxlength: '30', required: true, autocomplete: 'off' });
  const go = el('button.btn.main', {}, w('save')), slot = el('div');
  const act = doing(() => go, slot, async () => {
    await patch('/users/' + person.id + '/authentication/fido2Methods/' + m.id, { displayName: name.value.trim() });
    b.close();
    waysPart.again();
  });
  fill(b.body, el('form', { onsubmit: act }, field('col.name', name), slot, el('div.act', {}, go, el('button.btn', { type: 'button', onclick: b.close }, w('cancel')))));
  name.select();
}

function otherCard(m, kind) {
  const pass = kind === 'temporaryAccessPass', end = pass && new Date(+new Date(m.startDateTime) + m.lifetimeInMinutes * 60e3);
  return el('li.item', {}, el('div.what', {}, el('h3', {}, w('way.' + kind)),
    el('p.tags', {}, pass ? [tag(w('pass.' + m.methodUsabilityReason), m.isUsable ? '.ok' : '.warn'), m.isUsableOnce && tag(w('pass.once'))] : tag(w('way.phishable'), '.warn')),
    el('p.meta', {}, m.createdDateTime && [w('passkey.created') + ' ', when(m.createdDateTime)], pass && [' · ' + w('pass.until') + ' ', when(end)])),
  el('div.act', {}, kind === 'password' ? null : deleteWay(m, w('way.' + kind), kind + 'Methods')));
}
function deleteWay(m, name, path) {
  return el('button.btn.small', { type: 'button', 'aria-label': w('way.deleteName', { name }), onclick: () => ask(w('way.delete.ask', { name }), w('way.delete.text', { person: person.displayName }), w('delete'), async () => {
    await remove('/users/' + person.id + '/authentication/' + path + '/' + m.id);
    waysPart.again();
    say(w('way.deleted', { name }));
  }) }, w('delete'));
}

// issuePass makes a Temporary Access Pass; its code is shown here, once.
async function issuePass() {
  const b = box(w('pass.issue'));
  await load(b.body, async () => {
    const p = await get('/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/TemporaryAccessPass').catch((e) => { if (e.status !== 403) throw e; return { minimumLifetimeInMinutes: 60, maximumLifetimeInMinutes: 480, defaultLifetimeInMinutes: 60 }; });
    const options = [...new Set([p.minimumLifetimeInMinutes, p.defaultLifetimeInMinutes, 60, 240, 480, 1440, p.maximumLifetimeInMinutes])].filter((m) => m >= p.minimumLifetimeInMinutes && m <= p.maximumLifetimeInMinutes).sort((x, y) => x - y);
    const life = el('select', {}, options.map((m) => el('option', { value: m, selected: m === p.defaultLifetimeInMinutes }, m % 60 ? n('minutes', m) : n('hours', m / 60))));
    const once = el('input', { type: 'checkbox', checked: true, disabled: p.isUsableOnce });
    const go = el('button.btn.main', {}, w('pass.go')), slot = el('div');
    const act = doing(() => go, slot, async () => {
      const made = await post('/users/' + person.id + '/authentication/temporaryAccessPassMethods', { lifetimeInMinutes: Number(life.value), isUsableOnce: once.checked });
      const end = new Date(+new Date(made.startDateTime) + made.lifetimeInMinutes * 60e3);
      fill(b.heading, w('pass.made', { name: person.displayName }));
      fill(b.body, made.isUsable ? null : el('p.msg.warn', {}, w('pass.' + made.methodUsabilityReason)), el('p', {}, w('pass.shown')), el('p.secret', {}, el('code', {}, made.temporaryAccessPass)), el('p', {}, w(made.isUsableOnce ? 'pass.works.once' : 'pass.works') + ' ', when(end), '.'),
        el('ol.steps', {}, el('li', {}, w('pass.step.open', { url: location.host })), el('li', {}, w('pass.step.type')), el('li', {}, w('pass.step.create'))),
        el('div.act', {}, copyButton(made.temporaryAccessPass), el('button.btn.main', { type: 'button', onclick: b.close }, w('pass.done'))));
      b.heading.focus();
      waysPart.again();
    });
    return el('form', { onsubmit: act }, el('p.msg.warn', {}, w('pass.identity', { name: person.displayName })), field('pass.life', life), check(once, w('pass.once.label'), el('span.mut', {}, w('pass.once.hint'))), slot,
      el('div.act', {}, go, el('button.btn', { type: 'button', onclick: b.close }, w('cancel'))));
  });
}

// issueLink makes the link with which a person creates the first passkey.
function issueLink() {
  const b = box(w('link.issue')), go = el('button.btn.main', {}, w('link.go')), slot = el('div');
  const mail = el('input', { type: 'checkbox', disabled: !person.mail });
  const life = el('select', {}, [1, 24, 72, 168].map((h) => el('option', { value: h * 60, selected: h === 24 }, n('hours', h))));
  const act = doing(() => go, slot, async () => {
    const made = await post('/users/' + person.id + '/cardea.issueEnrolmentLink', { lifetimeInMinutes: Number(life.value), sendMail: mail.checked });
    fill(b.heading, w('link.made', { name: person.displayName }));
    fill(b.body, el('p', {}, made.mailSent ? w('link.sent', { mail: person.mail }) : w('link.shown')), el('p.secret.long', {}, el('code', {}, made.url)), el('p', {}, w('link.works') + ' ', when(made.expiresDateTime), '.'),
      el('div.act', {}, copyButton(made.url, 'link.copy'), el('button.btn.main', { type: 'button', onclick: b.close }, w('pass.done'))));
    b.heading.focus();
  });
  fill(b.body, el('form', { onsubmit: act }, el('p', {}, w('link.text')), field('link.life', life), check(mail, w('link.mail'), el('span.mut', {}, person.mail ?? w('link.noMail'))), slot,
    el('div.act', {}, go, el('button.btn', { type: 'button', onclick: b.close }, w('cancel')))));
}

// effective: which profiles apply, and through which groups (PK-65).
async function effective() {
  const p = await effectivePolicy();
  if (p.state !== 'applies') return el('p.msg.warn', {}, w('state.' + p.state), ' ', el('a', { href: '/admin/methods/passkey' }, w('home.off.go')));
  return [el('p', {}, w('user.profiles.rule')), el('ul.plain', {}, await each(p.profiles, async (x) => {
    const through = await each(x.through, (t) => nameOf(t.targetType, t.id));
    return el('li', {}, el('a', { href: '/admin/methods/passkey?profile=' + x.id }, x.name), ' ', el('span.mut', {}, w('user.through') + ' ', through.map((t, i) => [i ? ', ' : '', linkTo(t)])));
  }))];
}

async function memberOf() {
  const [all, direct] = await Promise.all([get('/users/' + person.id + '/transitiveMemberOf'), get('/users/' + person.id + '/memberOf')]);
  const mine = new Set(direct.value.map((g) => g.id));
  const list = all.value.filter((g) => g.displayName);
  return list.length ? el('ul.plain', {}, list.map((g) => el('li', {}, el('a', { href: '/admin/groups/' + g.id }, g.displayName), !mine.has(g.id) && el('span.mut', {}, ' ' + w('user.indirect'))))) : el('p.empty', {}, w('user.noGroups'));
}

async function personRoles() {
  const held = (await get('/users/' + person.id + '/memberOf/directoryRole')).value;
  const slot = el('div'), again = () => rolesPart.again();
  const add = async () => {
    const b = box(w('user.roles.add')), problem = el('div');
    const all = (await allRoles()).filter((r) => !held.some((h) => h.id === r.id)).sort((x, y) => x.displayName.localeCompare(y.displayName));
    const pick = el('select', { required: true }, el('option', { value: '' }, w('user.role.choose')), all.map((r) => el('option', { value: r.id }, r.displayName))), go = el('button.btn.main', {}, w('user.roles.assign'));
    const act = doing(() => go, problem, async () => { await post('/directoryRoles/' + pick.value + '/members/$ref', ref(person.id)); b.close(); again(); });
    fill(b.body, el('form', { onsubmit: act }, el('p', {}, w('user.roles.text', { name: person.displayName })), field('user.role', pick), problem, el('div.act', {}, go, el('button.btn', { type: 'button', onclick: b.close }, w('cancel')))));
  };
  return [held.length ? chips(held.map((r) => ({ id: r.id, name: r.displayName })), (r) => ask(w('user.roles.drop', { role: r.name }), w('user.roles.drop.text', { name: person.displayName }), w('user.roles.take'), async () => { await remove('/directoryRoles/' + r.id + '/members/' + person.id + '/$ref'); again(); })) : el('p.empty', {}, w('user.noRoles')),
    el('div.act', {}, button('user.roles.add', add)), slot];
}
