// The passkey policy: one document. Whatever changes it goes the same way: a
// form, the effect while one types, a review, the save.
const fido2 = '/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/Fido2';
let policy, etag, standing = []; // the document, its version, and the warnings it has anyway

async function readPolicy() {
  const r = await send('GET', fido2);
  etag = r.headers.get('ETag');
  policy = await r.json();
  standing = (await allowed(post(fido2 + '/cardea.previewChange', {})))?.warnings ?? []; // readers may not preview
  await each(policy.includeTargets.concat(policy.excludeTargets), (t) => nameOf(t.targetType, t.id));
}
// warning is the API's words, with the name of the group they are about.
function warning(x, doc = policy) {
  const [list, id] = x.target.split('/'), t = /Targets$/.test(list) && doc[list].find((i) => i.id === id), who = el('span');
  if (/Targets$/.test(list)) nameOf(t?.targetType ?? 'group', id).then((o) => fill(who, w('warn.about', { name: o.name }), ' '));
  return [who, x.message];
}
const profileOf = (id) => policy.passkeyProfiles.find((p) => p.id === id);
const isDefault = (p) => p.id === policy.defaultPasskeyProfile;
const has = (p, type) => p.passkeyTypes.split(',').includes(type);
const targetsOf = (id, doc = policy) => doc.includeTargets.filter((t) => t.allowedPasskeyProfiles.includes(id));

// A profile in words, for tables and for before and after.
const typesText = (p) => w(has(p, 'synced') ? has(p, 'deviceBound') ? 'types.both' : 'types.synced' : 'types.deviceBound');
const attestationText = (p) => w(p.attestationEnforcement === 'registrationOnly' ? 'attestation.on' : 'attestation.off');
// chosen groups AAGUIDs under the name that people know (PK-100).
function chosen(list) {
  const rows = new Map();
  for (const id of list) {
    const name = makerName(id);
    rows.set(name, [...rows.get(name) ?? [], id]);
  }
  return [...rows].map(([name, ids]) => ({ name, ids, note: ids.join(', ') })).sort((a, b) => a.name.localeCompare(b.name));
}
function listText({ keyRestrictions: k }) {
  if (!k.isEnforced) return w('list.any');
  const names = chosen(k.aaGuids).map((c) => c.name);
  if (!names.length) return w(k.enforcementType === 'allow' ? 'list.allow.none' : 'list.any');
  return w(k.enforcementType === 'allow' ? 'list.allow' : 'list.block', { names: listed.format(names) });
}

// effectOf shows what a change would do, half a second after the last key. It
// keeps the last answer: the review and the save look at it.
function effectOf(makeBody, told) {
  const place = el('div.effect', { 'aria-live': 'polite' });
  const self = { place, impact: undefined, failure: undefined, refresh: undefined };
  let running;
  const run = async () => {
    running?.abort();
    running = new AbortController();
    const { signal } = running, body = makeBody();
    self.impact = self.failure = undefined;
    if (!body) { fill(place, el('p.mut', {}, w('effect.unchanged'))); return told(self); }
    place.setAttribute('aria-busy', 'true');
    try {
      self.impact = await json(send('POST', fido2 + '/cardea.previewChange', { body, signal }));
      fill(place, effectWords(self.impact, body));
    } catch (e) {
      if (e.name === 'AbortError') return;
      self.failure = e;
      fill(place, report(e, e.status === 400 ? undefined : run));
    }
    place.removeAttribute('aria-busy');
    told(self);
  };
  const soon = later(500, run);
  self.now = run;
  self.refresh = () => { self.impact = undefined; told(self); soon(); };
  return self;
}

// effectWords says an impact: what stops, whom it hurts, why, and who.
function effectWords(i, body) {
  const { passkeys: p, users: u } = i, out = [];
  const line = (kind, text) => out.push(el('li.' + kind, {}, text));
  if (i.wouldLockOutAdministrators) line('bad', w('effect.lockOut'));
  if (p.stopWorking) line('bad', n('effect.stop', p.stopWorking, { people: n('people', u.stopWorking) }));
  if (u.loseAllPasskeys) line('bad', n('effect.loseAll', u.loseAllPasskeys));
  if (u.loseLastMethod) line('bad', n('effect.loseLast', u.loseLastMethod));
  if (i.administratorsLoseLastMethod) line('bad', n('effect.admins', i.administratorsLoseLastMethod));
  if (p.startWorking) line('good', n('effect.start', p.startWorking));
  line(p.stopWorking ? 'mild' : 'good', w('effect.keep', { n: p.total - p.stopWorking - p.startWorking, total: p.total }));
  if (i.notAttested?.passkeys) line('mild', n('effect.notAttested', i.notAttested.passkeys));
  for (const x of i.warnings) if (!standing.some((s) => s.code === x.code && s.message === x.message)) line('warn', warning(x));
  return [el('ul.effects', {}, out),
    i.byReason.length > 0 && el('p.hint', {}, w('effect.why') + ' ' + listed.format(i.byReason.map((r) => n('reason.count.' + r.code, r.passkeys)))),
    i.affected?.length > 0 && affectedList(i, body)];
}
// briefly is the effect in one line, beside the button.
const briefly = ({ wouldLockOutAdministrators: out, passkeys: p, users: u }) => out ? tag(w('effect.lockOut'), '.bad') : p.stopWorking ? tag(n('effect.stop', p.stopWorking, { people: n('people', u.stopWorking) }), '.bad') : p.startWorking ? tag(n('effect.start', p.startWorking), '.ok') : tag(w('effect.none'), '.ok');

function affectedList(i, body) {
  const csv = el('button.btn.small', { type: 'button' }, w('effect.csv')), slot = el('div');
  csv.addEventListener('click', doing(() => csv, slot, async () => {
    const blob = await (await send('POST', fido2 + '/cardea.previewChange', { body, headers: { Accept: 'text/csv' } })).blob();
    const a = el('a', { href: URL.createObjectURL(blob), download: 'affected-passkeys.csv' });
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 60e3);
  }));
  return el('details', {}, el('summary', {}, n('effect.show', i.passkeys.stopWorking + i.passkeys.startWorking)),
    el('ul.affected', {}, i.affected.slice(0, 50).map((a) => el('li', {},
      el('a', { href: '/admin/users/' + a.userId, target: '_blank' }, a.userPrincipalName), ' ',
      tag(w('effect.' + a.after), a.after === 'allowed' ? '.ok' : '.bad'),
      el('span.meta', {}, a.displayName + ' · ' + w('type.' + a.passkeyType) + ' · ', a.lastUsedDateTime ? [w('passkey.used') + ' ', when(a.lastUsedDateTime)] : w('passkey.unused')),
      a.reasons.length > 0 && el('span.meta', {}, reasons(a.reasons))))),
    i.affected.length > 50 && el('p.hint', {}, w('effect.first')), el('div.act', {}, csv), slot);
}
// reasons is what each profile holds against a passkey.
const reasons = (list) => list.map((r) => w('reason.by', { profile: r.profileName, reason: w('reason.' + r.code) })).join(' ');

// From this many people on, the number is typed (ux.md §2.3).
const typedFrom = 50;

// change opens a drawer for one change. form is what one edits; body gives the
// PATCH, undefined while nothing is changed; lines are [label, before, after].
function change({ title, form, body, lines, removing, saved }) {
  const b = box(title, true), slot = el('div');
  const go = el('button.btn.main', { type: 'submit' }, w('change.review'));
  const brief = el('p.brief', { role: 'status' });
  let wanted = false; // the review was asked for before its numbers were there
  const effect = effectOf(body, (x) => {
    fill(brief, x.impact ? briefly(x.impact) : body() && !x.failure ? w('effect.asking') : '');
    go.removeAttribute('aria-disabled');
    if (wanted && x.impact) review();
    wanted = false;
  });
  const whole = el('form', {}, form(effect.refresh), el('section.impact', { 'aria-label': w('effect') }, el('h3', {}, w('effect')), effect.place), slot,
    el('div.foot', {}, brief, go, el('button.btn', { type: 'button', onclick: b.shut }, w('cancel'))));
  whole.addEventListener('submit', (ev) => {
    ev.preventDefault();
    if (!body()) return fill(slot, el('p.msg', { role: 'alert' }, w('change.nothing')));
    if (effect.failure) return effect.place.scrollIntoView({ block: 'center' });
    fill(slot);
    if (effect.impact) return review();
    wanted = true;
    go.setAttribute('aria-disabled', 'true');
  });
  whole.addEventListener('input', () => { b.d.dataset.dirty = '1'; });
  b.d.addEventListener('cancel', (ev) => { if (b.d.dataset.dirty && body() && !confirm(w('change.leave'))) ev.preventDefault(); });
  fill(b.body, whole);
  if (removing) effect.now(); else effect.refresh();

  // review says old and new in words and whom it hurts, and asks for the
  // number where it is large.
  function review() {
    const { impact: i } = effect, many = i.users.stopWorking, failed = el('div');
    const typed = el('input', { type: 'text', inputmode: 'numeric', autocomplete: 'off', required: true });
    const save = el('button.btn.main' + (i.passkeys.stopWorking ? '.grave' : ''), { type: 'submit' }, w(removing ? 'change.delete' : 'change.save'));
    const back = el('button.btn', { type: 'button', onclick: () => { fill(b.heading, title); fill(b.body, whole); go.focus(); } }, w('change.back'));
    const wrong = el('p.msg.err', { role: 'alert', hidden: true }, w('change.type.wrong', { n: many }));
    const sent = el('form', {}, lines().length > 0 && table(w('change.what'), [['change.of', (l) => l[0]], ['change.before', (l) => l[1]], ['change.after', (l) => l[2]]], lines()),
      el('section.impact', {}, el('h3', {}, w('effect')), effectWords(i, body())),
      i.wouldLockOutAdministrators ? el('p.msg.err', {}, w('change.lockOut')) : many >= typedFrom && [field('change.type', typed, w('change.type.hint', { n: many })), wrong], failed,
      el('div.foot', {}, !i.wouldLockOutAdministrators && save, back));
    const act = doing(() => save, failed, async () => {
      try { await patch(fido2, body(), etag); } catch (e) {
        if (e.status !== 412) throw e;
        return fill(failed, el('div.msg.err', { role: 'alert' }, el('p', {}, e.message), button('change.reload', () => { b.close(); saved(true); })));
      }
      b.close();
      saved();
    });
    sent.addEventListener('submit', (ev) => {
      ev.preventDefault();
      wrong.hidden = many < typedFrom || typed.value.replace(/\D/g, '') === String(many);
      if (!wrong.hidden) { typed.focus(); return wrong.scrollIntoView({ block: 'nearest' }); }
      act();
    });
    fill(b.heading, w('change.review.title'));
    fill(b.body, sent);
    b.heading.focus();
  }
}
