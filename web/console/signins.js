// The sign-in log: who, how, and why not.
const failed = (s) => s.status.errorCode !== 0;
function result(s) {
  if (!failed(s)) return tag(w('signin.ok'), '.ok');
  return [tag(w('signin.failed'), '.bad'), el('span.reason', {}, s.status.failureReason || s.status.additionalDetails)];
}
const step = (s) => s.authenticationDetails.at(-1);
const way = (s) => step(s)?.authenticationMethod ?? (s.authenticationMethodsUsed[0] || '–');

function signInTable(list, ofOne) {
  if (!list.length) return el('p.empty', {}, w('signin.none'));
  return table(w('title.signins'), [
    ['signin.time', (s) => el('button.linkish', { type: 'button', onclick: () => showSignIn(s) }, when(s.createdDateTime))],
    ...ofOne ? [] : [['signin.person', (s) => s.userId ? el('a', { href: '/admin/users/' + s.userId }, s.userDisplayName || s.userPrincipalName) : s.userPrincipalName || w('signin.nobody')]],
    ['signin.result', result], ['signin.way', way], ['signin.app', (s) => s.appDisplayName || w('signin.own')],
    ['signin.device', (s) => [s.deviceDetail.operatingSystem, s.deviceDetail.browser].filter(Boolean).join(', ') || '–'],
  ], list);
}

// showSignIn is everything about one entry.
function showSignIn(s) {
  keep({ id: s.id });
  const b = box(w(failed(s) ? 'signin.one.failed' : 'signin.one'), true), c = s.cardea?.credential;
  b.d.addEventListener('close', () => keep({ id: '' }));
  fill(b.body, el('p', {}, result(s)),
    facts([['signin.time', when(s.createdDateTime, true)], ['signin.person', s.userId ? el('a', { href: '/admin/users/' + s.userId }, s.userDisplayName) : s.userPrincipalName], ['col.userName', s.userPrincipalName],
      ['signin.app', s.appDisplayName || w('signin.own')], ['signin.reason', failed(s) && s.status.additionalDetails], ['signin.code', failed(s) && String(s.status.errorCode)],
      ['signin.requirement', s.authenticationRequirement === 'multiFactorAuthentication' ? w('signin.mfa') : w('signin.sfa')],
      ['signin.passkey', c && [c.provider || makerName(c.aaGuid), ' · ', c.passkeyType && w('type.' + c.passkeyType)]],
      ['signin.device', [s.deviceDetail.operatingSystem, s.deviceDetail.browser].filter(Boolean).join(', ')], ['signin.address', s.ipAddress], ['signin.agent', s.userAgent],
      ['signin.request', el('span', {}, el('code', {}, s.correlationId), ' ', copyButton(s.correlationId))]]),
    s.authenticationDetails.length > 0 && [el('h3', {}, w('signin.steps')), el('ol.steps', {}, s.authenticationDetails.map((d) => el('li', {}, d.authenticationMethod, d.authenticationMethodDetail && ' (' + d.authenticationMethodDetail + ')', ' ', tag(w(d.succeeded ? 'signin.ok' : 'signin.failed'), d.succeeded ? '.ok' : '.bad'), ' ', el('span.mut', {}, d.authenticationStepResultDetail))))],
    el('details', {}, el('summary', {}, w('signin.json')), el('pre', { tabindex: '0' }, JSON.stringify(s, null, 2))));
}

function signInsPage() {
  const user = el('input', { type: 'search', value: query.get('user') ?? '', autocomplete: 'off', spellcheck: 'false' });
  const kind = el('select', {}, ['all', 'failed', 'success'].map((k) => el('option', { value: k, selected: query.get('result') === k }, w('signin.filter.' + k))));
  const span = el('select', {}, [['1', 'day'], ['7', 'week'], ['30', 'month'], ['0', 'any']].map(([d, key]) => el('option', { value: d, selected: (query.get('days') ?? '0') === d }, w('signin.days.' + key))));
  const place = el('div');
  const show = (path) => load(place, async () => {
    const f = [];
    if (kind.value === 'failed') f.push('status/errorCode ne 0');
    if (kind.value === 'success') f.push('status/errorCode eq 0');
    if (span.value !== '0') f.push('createdDateTime ge ' + new Date(Date.now() - span.value * 864e5).toISOString().slice(0, 19) + 'Z');
    if (user.value.trim()) f.push('startswith(userPrincipalName,' + quoted(user.value.trim().toLowerCase()) + ')');
    const l = await get(path ?? '/auditLogs/signIns?$top=50' + (f.length ? '&$filter=' + encodeURIComponent(f.join(' and ')) : '')), next = rest(l);
    return [signInTable(l.value), el('div.act.pages', {}, path && button('page.newest', () => show()), next && button('page.older', () => show(next).then(() => $('title').scrollIntoView())))];
  });
  const again = () => { keep({ user: user.value.trim(), result: kind.value === 'all' ? '' : kind.value, days: span.value === '0' ? '' : span.value }); show(); };
  user.addEventListener('input', later(300, again));
  for (const s of [kind, span]) s.addEventListener('change', again);
  fill(content, el('div.tools', {}, field('signin.user', user), field('signin.filter', kind), field('signin.span', span), button('refresh', () => show())), place);
  show();
  if (query.get('id')) get('/auditLogs/signIns/' + query.get('id')).then(showSignIn, (e) => say(e.message, 'err'));
}
