// The editor of one profile, with the people it is for.
const templates = {
  admins: { passkeyTypes: 'deviceBound', attestationEnforcement: 'registrationOnly' },
  office: { passkeyTypes: 'deviceBound,synced', attestationEnforcement: 'disabled' },
  pilot: { passkeyTypes: 'synced', attestationEnforcement: 'disabled', keyRestrictions: { isEnforced: true, enforcementType: 'allow', aaGuids: [] } },
};
const blank = (name) => ({ id: crypto.randomUUID(), name: w('template.' + name), keyRestrictions: { isEnforced: false, enforcementType: 'allow', aaGuids: [] }, ...structuredClone(templates[name]) });

// onlyChanged leaves out of a PATCH what stays as it is (R5).
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
function onlyChanged(body) {
  for (const k of Object.keys(body)) if (same(body[k], policy[k])) delete body[k];
  return Object.keys(body).length ? body : undefined;
}

// assigned is includeTargets with profile id for exactly these targets.
function assigned(id, targets) {
  const out = [];
  for (const t of policy.includeTargets) {
    const keeps = targets.some((x) => x.id === t.id && x.type === t.targetType), had = t.allowedPasskeyProfiles.includes(id);
    const list = keeps === had ? t.allowedPasskeyProfiles : keeps ? [...t.allowedPasskeyProfiles, id] : t.allowedPasskeyProfiles.filter((p) => p !== id);
    if (list.length) out.push({ ...t, allowedPasskeyProfiles: list });
  }
  for (const x of targets) if (!policy.includeTargets.some((t) => t.id === x.id && t.targetType === x.type)) out.push({ targetType: x.type, id: x.id, isRegistrationRequired: false, allowedPasskeyProfiles: [id] });
  return out;
}
const targetNames = (targets) => targets.length ? listed.format(targets.map((t) => t.name)) : w('target.nobody');

async function editProfile(id, template) {
  const was = profileOf(id), p = structuredClone(was ?? blank(template)), k = p.keyRestrictions;
  const before = await each(targetsOf(p.id), (t) => nameOf(t.targetType, t.id));
  let targets = [...before];
  const body = () => onlyChanged({
    passkeyProfiles: was ? policy.passkeyProfiles.map((x) => x.id === p.id ? p : x) : [...policy.passkeyProfiles, p],
    includeTargets: assigned(p.id, targets),
  });
  const lines = () => [
    ['profile.name', was?.name ?? '–', p.name], ['profile.types', was ? typesText(was) : '–', typesText(p)], ['profile.attestation', was ? attestationText(was) : '–', attestationText(p)],
    ['profile.list', was ? listText(was) : '–', listText(p)], ['profile.targets', was ? targetNames(before) : '–', targetNames(targets)],
  ].filter(([, a, b]) => a !== b).map(([key, a, b]) => [w(key), a, b]);
  change({ title: was ? w('profile.edit', { name: was.name }) : w('profile.new'), body, lines, form: (changed) => profileForm(p, k, { changed, targets, set: (t) => { targets = t; } }), saved: (stale) => passkeys(stale ? '' : w('profile.saved', { name: p.name })) });
}

function profileForm(p, k, { changed, targets, set }) {
  const name = el('input', { type: 'text', value: p.name, required: true, readonly: isDefault(p), maxlength: '64', autocomplete: 'off', oninput: () => { p.name = name.value; changed(); } });
  const tick = (type) => el('input', { type: 'checkbox', checked: has(p, type), onchange: () => { types(); changed(); } });
  const bound = tick('deviceBound'), synced = tick('synced');
  const typesHint = el('p.hint', { role: 'status' }), none = el('p.why', { role: 'alert', hidden: true }, w('profile.types.none'));
  let lost = false; // synced was ticked when attestation greyed it
  const types = () => {
    const list = [bound.checked && 'deviceBound', synced.checked && 'synced'].filter(Boolean);
    none.hidden = list.length > 0;
    if (list.length) p.passkeyTypes = list.join(',');
    else if (document.activeElement === bound || document.activeElement === synced) { document.activeElement.checked = true; types(); none.hidden = false; }
    notes();
  };
  const radio = (group, checked, act, key) => check(el('input', { type: 'radio', name: group, checked, onchange: () => { act(); notes(); changed(); } }), w(key));
  const attest = freshID(), sense = freshID();
  const attestation = (on) => () => {
    p.attestationEnforcement = on ? 'registrationOnly' : 'disabled';
    if (on && synced.checked) { // W2: the two do not go together
      lost = true;
      synced.checked = false;
      bound.checked = true;
    } else if (!on && lost) { lost = false; synced.checked = true; }
    types();
  };
  const note = el('div');
  const listBody = el('div'), enforced = el('input', { type: 'checkbox', checked: k.isEnforced, onchange: () => { k.isEnforced = enforced.checked; notes(); changed(); } });
  function notes() {
    const on = p.attestationEnforcement === 'registrationOnly';
    synced.disabled = on && !synced.checked;
    fill(typesHint, on ? w(lost ? 'warn.W2.off' : 'warn.W2') : '');
    fill(note, on ? el('p.msg', {}, w('warn.W1')) : k.isEnforced && k.aaGuids.length > 0 && el('p.msg.warn', {}, w('warn.W5')));
    listBody.hidden = !k.isEnforced;
  }
  fill(listBody, el('fieldset', {}, el('legend', {}, w('profile.sense')),
    radio(sense, k.enforcementType === 'allow', () => { k.enforcementType = 'allow'; }, 'profile.allow'), radio(sense, k.enforcementType === 'block', () => { k.enforcementType = 'block'; }, 'profile.block')),
    providerList(k, () => { notes(); changed(); }), el('p.hint', {}, w('warn.W3')));
  const who = el('div');
  const all = el('input', { type: 'checkbox', checked: targets.some((t) => t.id === 'all_users'), onchange: async () => {
    targets = targets.filter((t) => t.id !== 'all_users');
    if (all.checked) targets = [await nameOf('group', 'all_users'), ...targets];
    showTargets();
  } });
  const showTargets = (quiet) => {
    set(targets);
    fill(who, chips(targets.filter((t) => t.id !== 'all_users'), (t) => { targets = targets.filter((x) => x !== t); showTargets(); }));
    if (!quiet) changed();
  };
  showTargets(true);
  notes();
  return [standing.filter((x) => x.message.includes('"' + p.name + '"')).map((x) => el('p.msg.warn', {}, warning(x))), field('profile.name', name, isDefault(p) && w('profile.name.default')),
    el('fieldset', {}, el('legend', {}, w('profile.types')), check(bound, w('types.deviceBound'), el('span.mut', {}, w('types.deviceBound.hint'))), check(synced, w('types.synced'), el('span.mut', {}, w('types.synced.hint'))), none, typesHint),
    el('fieldset', {}, el('legend', {}, w('profile.attestation')), radio(attest, p.attestationEnforcement === 'registrationOnly', attestation(true), 'attestation.on'), radio(attest, p.attestationEnforcement !== 'registrationOnly', attestation(false), 'attestation.off'), note),
    el('fieldset', {}, el('legend', {}, w('profile.list')), check(enforced, w('profile.enforce')), listBody),
    el('fieldset', {}, el('legend', {}, w('profile.targets')), check(all, w('target.all')), who,
      finder('profile.find', async (text, signal) => (await Promise.all([groups(text, signal), roles(text), people(text, signal)])).flat().filter((f) => !targets.some((t) => t.id === f.id)), (t) => { named.set(t.type + '/' + t.id, Promise.resolve(t)); targets = [...targets, t]; showTargets(); }))];
}

// providerList chooses models by name; an AAGUID may be pasted (PK-100).
function providerList(k, changed) {
  const seek = el('input', { type: 'search', autocomplete: 'off', spellcheck: 'false' }), rows = el('ul.pick'), told = el('p.hint', { role: 'status' }), picked = el('div');
  const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  const put = (list, on) => {
    const ids = new Set(k.aaGuids);
    for (const id of list) if (on) ids.add(id); else ids.delete(id);
    k.aaGuids = [...ids];
    show();
    changed();
  };
  const show = () => fill(picked, chips(chosen(k.aaGuids), (c) => { put(c.ids, false); search(); }));
  const search = () => {
    const text = seek.value.trim().toLowerCase();
    let hits = providers.filter((p) => text ? p.name.toLowerCase().includes(text) || p.ids.includes(text) : !p.model);
    if (!hits.length && guid.test(text)) hits = [{ name: text, ids: [text] }];
    fill(told, text ? hits.length ? n('find.some', hits.length) : w('provider.none') : providers.some((p) => p.model) ? w('provider.models') : w('provider.noModels'));
    fill(rows, hits.slice(0, 60).map((p) => el('li', {}, check(el('input', { type: 'checkbox', checked: p.ids.every((id) => k.aaGuids.includes(id)), onchange: (ev) => put(p.ids, ev.target.checked) }), p.name, ' ', p.type && el('span.mut', {}, w('type.' + p.type)), p.ids.length > 1 && el('span.mut', {}, n('provider.ids', p.ids.length))))));
  };
  seek.addEventListener('input', later(150, search));
  seek.addEventListener('keydown', (ev) => { if (ev.key === 'Enter') ev.preventDefault(); });
  show();
  search();
  return [el('p.legend', {}, w('provider.chosen')), picked, field('provider.find', seek, w('provider.hint')), told, rows];
}
