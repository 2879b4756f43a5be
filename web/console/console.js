// The start: each section has its page. Its parts say themselves that they load.
content.removeAttribute('aria-busy');
({ home, passkey: () => passkeys(), users, user: () => personPage(), groups: groupsPage, group: groupPage, signins: signInsPage, organisation: () => organisationPage() })[D.section]();

// "/" goes to the search field of the page, where there is one.
document.addEventListener('keydown', (ev) => {
  if (ev.key !== '/' || ev.ctrlKey || ev.metaKey || ev.altKey || /^(input|textarea|select)$/i.test(ev.target.tagName) || document.querySelector('dialog[open]')) return;
  const field = content.querySelector('input[type=search]');
  if (field) { ev.preventDefault(); field.focus(); }
});
