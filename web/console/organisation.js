// The organisation: how it shows itself, whom people call, and who comes in
// when nobody else can.
const defaultColour = '#1f5c54';
async function organisationPage(done) {
  await load(content, async () => {
    const r = await get('/organization'), o = r.value[0], c = o.cardea;
    const group = c.breakGlassGroup ? await nameOf('group', c.breakGlassGroup) : undefined;
    if (done) say(done);
    const name = el('input', { type: 'text', required: true, maxlength: '100', value: o.displayName, autocomplete: 'organization' });
    const help = el('textarea', { rows: '3', maxlength: '500', value: c.helpText });
    let emergency = group, logo; // logo: undefined leaves it, null takes it away
    const swatch = el('input', { type: 'color', value: c.color || defaultColour, 'aria-label': w('org.colour.pick') }), colour = el('input', { type: 'text', value: c.color, placeholder: defaultColour, pattern: '#[0-9a-fA-F]{6}', autocomplete: 'off', spellcheck: 'false' });
    swatch.addEventListener('input', () => { colour.value = swatch.value; });
    colour.addEventListener('input', () => { if (colour.validity.valid && colour.value) swatch.value = colour.value; });
    const file = el('input', { type: 'file', accept: 'image/png,image/jpeg' }), logoNow = el('p.hint');
    const logoSays = () => fill(logoNow, logo ? w('org.logo.new') : logo === null ? w('org.logo.gone') : [w(c.hasLogo ? 'org.logo.has' : 'org.logo.none'), ' ', c.hasLogo && button('org.logo.drop', () => { logo = null; file.value = ''; logoSays(); })]);
    file.addEventListener('change', async () => {
      const f = file.files[0];
      logo = f && { type: f.type, content: await f.arrayBuffer().then((b) => btoa(Array.from(new Uint8Array(b), (x) => String.fromCharCode(x)).join(''))) };
      logoSays();
    });
    logoSays();
    const place = el('div'), show = () => fill(place, emergency ? chips([emergency], () => { emergency = undefined; show(); }) : el('p.mut', {}, w('org.breakGlass.none')));
    show();
    const go = el('button.btn.main', {}, w('save')), slot = el('div');
    const act = doing(() => go, slot, async () => {
      const own = {}, body = {};
      if (colour.value.trim() !== c.color) own.color = colour.value.trim();
      if (help.value.trim() !== c.helpText) own.helpText = help.value.trim();
      if ((emergency?.id ?? '') !== c.breakGlassGroup) own.breakGlassGroup = emergency?.id ?? '';
      if (logo !== undefined) own.logo = logo;
      if (name.value.trim() !== o.displayName) body.displayName = name.value.trim();
      if (Object.keys(own).length) body.cardea = own;
      if (!Object.keys(body).length) return say(w('change.nothing'), '');
      await patch('/organization/' + o.id, body);
      organisationPage(w('org.saved'));
      scrollTo(0, 0);
    });
    return el('form.sheet', { onsubmit: act },
      el('section', {}, el('h2', {}, w('org.look')), field('org.name', name), el('div.field', {}, el('label', { for: colour.id ||= freshID() }, w('org.colour')), el('div.pair', {}, swatch, colour), el('p.hint', {}, w('org.colour.hint'))), field('org.logo', file, w('org.logo.hint')), logoNow),
      el('section', {}, el('h2', {}, w('org.help')), field('org.help.text', help, w('org.help.hint'))),
      el('section', {}, el('h2', {}, w('org.breakGlass')), el('p', {}, w('org.breakGlass.text')), place, finder('org.breakGlass.find', groups, (t) => { emergency = t; show(); })),
      slot, el('div.foot', {}, go));
  });
}
