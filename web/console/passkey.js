// Passkeys: profiles and who they are for, on one page.
async function passkeys(done) {
  await load(content, async () => {
    await readPolicy();
    if (done) say(done); else if (done === '') say(w('change.reloaded'), ''); else hush();
    return passkeyPage();
  });
  const open = query.get('profile');
  if (done === undefined && open && policy && profileOf(open)) editProfile(open);
}

function passkeyPage() {
  const on = policy.state === 'enabled', own = policy.isSelfServiceRegistrationAllowed;
  const setting = (key, value, hint, act) => el('div.setting', {}, el('div', {}, el('h3', {}, w(key)), el('p', {}, tag(w(value ? 'on' : 'off'), value ? '.ok' : '.warn'), ' ', hint)), el('button.btn.small', { type: 'button', 'aria-label': w('setting.change', { name: w(key) }), onclick: act }, w(value ? 'switch.off' : 'switch.on')));
  return [
    standing.length > 0 && el('ul.needs', {}, standing.map((x) => el('li.need.warn', {}, el('p', {}, warning(x))))),
    el('section', { 'aria-labelledby': 'h-set' }, el('h2', { id: 'h-set' }, w('passkeys.enable')),
      setting('setting.state', on, w(on ? 'setting.state.on' : 'setting.state.off'), () => toggle('state', on)),
      setting('setting.self', own, w(own ? 'setting.self.on' : 'warn.W7'), () => toggle('self', own)),
      el('div.setting', {}, el('div', {}, el('h3', {}, w('setting.exclude')), el('p', {}, excluded())), el('button.btn.small', { type: 'button', 'aria-label': w('setting.change', { name: w('setting.exclude') }), onclick: editExcluded }, w('change')))),
    el('section', { 'aria-labelledby': 'h-pro' }, el('div.head', {}, el('h2', { id: 'h-pro' }, w('passkeys.configure')), el('button.btn.main', { type: 'button', onclick: newProfile }, w('profile.add'))),
      el('p.mut', {}, w('passkeys.rules')),
      policy.passkeyProfiles.length > 50 && el('p.msg', {}, w('profile.many')),
      el('ul.profiles', {}, policy.passkeyProfiles.map(profileCard)))];
}

function excluded() {
  const place = el('span', {}, '…');
  each(policy.excludeTargets, (t) => nameOf(t.targetType, t.id)).then((list) => fill(place, list.length ? w('setting.exclude.some', { names: listed.format(list.map((t) => t.name)) }) : w('setting.exclude.none')));
  return place;
}

function profileCard(p) {
  const who = el('span', {}, '…');
  each(targetsOf(p.id), (t) => nameOf(t.targetType, t.id)).then((list) => fill(who, list.length ? list.map((t, i) => [i ? ', ' : '', linkTo(t)]) : el('em', {}, w('target.nobody.long'))));
  return el('li.profile', {}, el('div.head', {}, el('h3', {}, p.name), el('div.act', {},
    el('button.btn.small', { type: 'button', 'aria-label': w('profile.editName', { name: p.name }), onclick: () => editProfile(p.id) }, w('edit')),
    !isDefault(p) && el('button.btn.small', { type: 'button', 'aria-label': w('profile.deleteName', { name: p.name }), onclick: () => dropProfile(p) }, w('delete')))),
  facts([['profile.types', typesText(p)], ['profile.attestation', attestationText(p)], ['profile.list', listText(p)], ['profile.targets', who]]));
}

function newProfile() {
  const b = box(w('profile.new'));
  fill(b.body, el('p', {}, w('template.lead')), el('ul.ways', {}, Object.keys(templates).map((t) => el('li', {}, el('button.way', { type: 'button', onclick: () => { b.close(); editProfile(undefined, t); } }, el('strong', {}, w('template.' + t)), el('span', {}, w('template.' + t + '.hint')))))));
}

function dropProfile(p) {
  const used = targetsOf(p.id);
  change({ title: w('profile.delete', { name: p.name }), removing: true, lines: () => [],
    body: () => onlyChanged({ passkeyProfiles: policy.passkeyProfiles.filter((x) => x.id !== p.id), includeTargets: assigned(p.id, []) }),
    form: () => [el('p', {}, used.length ? n('profile.delete.used', used.length) : w('profile.delete.unused')), el('p.mut', {}, w('profile.delete.keys'))],
    saved: (stale) => passkeys(stale ? '' : w('profile.deleted', { name: p.name })) });
}

// toggle switches passkeys, or self-service, on or off: with its effect first.
function toggle(what, on) {
  const self = what === 'self', key = 'setting.' + what + (on ? '.stop' : '.start');
  change({ title: w(key), form: () => [el('p', {}, w(key + '.text'))], body: () => self ? { isSelfServiceRegistrationAllowed: !on } : { state: on ? 'disabled' : 'enabled' },
    lines: () => [[w('setting.' + what), w(on ? 'on' : 'off'), w(on ? 'off' : 'on')]], saved: (stale) => passkeys(stale ? '' : w('saved')) });
}

async function editExcluded() {
  const before = await each(policy.excludeTargets, (t) => nameOf(t.targetType, t.id));
  let list = [...before];
  change({ title: w('setting.exclude'), saved: (stale) => passkeys(stale ? '' : w('saved')),
    body: () => onlyChanged({ excludeTargets: list.map((t) => ({ targetType: t.type, id: t.id })) }),
    lines: () => [[w('setting.exclude'), targetNames(before), targetNames(list)]],
    form: (changed) => {
      const who = el('div'), show = () => fill(who, chips(list, (t) => { list = list.filter((x) => x !== t); show(); changed(); }));
      show();
      return [el('p', {}, w('setting.exclude.text')), who, finder('profile.find', async (text, signal) => (await Promise.all([groups(text, signal), roles(text), people(text, signal)])).flat().filter((f) => !list.some((t) => t.id === f.id)), (t) => { list = [...list, t]; show(); changed(); })];
    } });
}
