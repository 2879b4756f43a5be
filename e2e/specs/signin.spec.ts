// From the first pass to signing in everywhere with a synced passkey.
import type { Device } from '../harness/device.ts';
import { card, createPasskey, enterPass, heading, openSecurityInfo, signInByButton, signOut, toEntry } from '../harness/journeys.ts';
import { expect, test } from '../harness/test.ts';

const home = (device: Device, name: string) => expect(heading(device.page, `Hello, ${name}`)).toBeVisible();

test('pass → synced passkey → Security info → sign out → autofill, button, second device', async ({ graph, grace, open }) => {
  const laptop = await open();
  await enterPass(laptop.page, grace.userPrincipalName, await graph.pass(grace, { isUsableOnce: true }));
  await expect(heading(laptop.page, 'Now create a passkey')).toBeVisible();
  await createPasskey(laptop.page, 'Work laptop');
  await openSecurityInfo(laptop.page);
  await expect(card(laptop.page, 'Work laptop')).toContainText('Synced');
  await expect(card(laptop.page, 'Work laptop')).toContainText('Created');
  expect(await graph.passkeys(grace)).toMatchObject([{ displayName: 'Work laptop', passkeyType: 'synced' }]);

  await test.step('sign out, then autofill signs in at page load', async () => {
    await signOut(laptop.page);
    await laptop.page.goto('/signin');
    await home(laptop, 'Grace Hopper');
    await openSecurityInfo(laptop.page);
    await expect(card(laptop.page, 'Work laptop')).toContainText('Used for this sign-in');
    await expect(card(laptop.page, 'Work laptop')).toContainText('Last used');
  });

  await test.step('the button signs in', async () => {
    await signOut(laptop.page);
    await signInByButton(laptop);
    await home(laptop, 'Grace Hopper');
  });

  await test.step('the passkey came along to a second device', async () => {
    const phone = await open({ viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
    await laptop.authenticator.syncTo(phone.authenticator);
    await signInByButton(phone);
    await home(phone, 'Grace Hopper');
  });

  await test.step('the log tells it', async () => {
    const rows = (await graph.signIns()).filter((r) => r.userPrincipalName === grace.userPrincipalName);
    expect(rows.length).toBeGreaterThanOrEqual(4);
    expect(rows.every((r) => r.status.errorCode === 0)).toBe(true);
  });
});

test('an enrolment link works once and leads to a passkey', async ({ graph, grace, open }) => {
  const link = await graph.enrolmentLink(grace);
  const laptop = await open();
  await laptop.page.goto(link);
  await expect(heading(laptop.page, 'Welcome, Grace Hopper')).toBeVisible();
  await laptop.page.getByRole('button', { name: 'Begin' }).click();
  await expect(heading(laptop.page, 'Create your passkey')).toBeVisible();
  await createPasskey(laptop.page, 'Work laptop');
  await openSecurityInfo(laptop.page);
  await expect(card(laptop.page, 'Work laptop')).toBeVisible();

  const thief = await open({ authenticator: 'device' });
  await thief.page.goto(link);
  const begin = thief.page.getByRole('button', { name: 'Begin' });
  if (await begin.isVisible()) await begin.click();
  await expect(heading(thief.page, 'Create your passkey')).toBeHidden();
  await thief.page.goto('/security-info');
  await expect(heading(thief.page, 'Security info')).toBeHidden();
});

test('a one-time pass works once; wrong, spent and unknown get one answer (PK-119)', async ({ graph, grace, open }) => {
  const pass = await graph.pass(grace, { isUsableOnce: true });
  const first = await open();
  await enterPass(first.page, grace.userPrincipalName, pass);
  await expect(heading(first.page, 'Now create a passkey')).toBeVisible();

  const other = await open({ authenticator: 'none' });
  const answers: string[] = [];
  for (const [username, code] of [[grace.userPrincipalName, pass], [grace.userPrincipalName, 'wrong123'], ['nobody@contoso.com', pass]] as const) {
    await enterPass(other.page, username, code);
    answers.push(await other.page.getByRole('alert').innerText());
  }
  expect(new Set(answers)).toEqual(new Set(['That did not match. Check both fields and try again, or use another way.']));
});

test('the choices are the same for every name (PK-168)', async ({ grace, open }) => {
  const { page } = await open({ authenticator: 'none' });
  const seen: string[][] = [];
  for (const name of [grace.userPrincipalName, 'ada@contoso.com', 'nobody@contoso.com']) {
    await page.goto('/signin');
    await page.getByLabel('Work email or username').fill(name);
    await page.getByRole('button', { name: 'Next' }).click();
    await expect(heading(page, 'Other ways to sign in')).toBeVisible();
    await expect(page.getByText(`Signing in as ${name}.`)).toBeVisible();
    seen.push(await page.getByRole('main').getByRole('list').first().getByRole('listitem').allInnerTexts());
  }
  expect(seen[0]).toHaveLength(4);
  expect(seen[1]).toEqual(seen[0]);
  expect(seen[2]).toEqual(seen[0]);
});

test('unknown passkey and wrong signature: one answer, and nothing is deleted (UX-S6, PK-121, PK-124)', async ({ admin, open }) => {
  const known = await admin.authenticator.credentials();
  const answer = async (device: Device) => {
    await signInByButton(device);
    const said = device.page.getByRole('status');
    await expect(said).toHaveText('This passkey could not be used. Try another passkey, or another way to sign in.');
    await device.authenticator.presence(false);
    return said.innerText();
  };
  const forged = await open({ authenticator: 'device' });
  await forged.authenticator.insert(known[0]!);
  await forged.authenticator.wrongSignature(true);
  const stranger = await open({ authenticator: 'device' });
  await stranger.authenticator.insert({ ...known[0]!, credentialId: Buffer.from('unknown-credential').toString('base64') });
  expect(await answer(forged)).toBe(await answer(stranger));
  expect(await stranger.authenticator.credentials()).toHaveLength(1);
});

test('a disabled person is refused without a word about it before proof', async ({ graph, grace, open }) => {
  const device = await open();
  await enterPass(device.page, grace.userPrincipalName, await graph.pass(grace));
  await createPasskey(device.page);
  await openSecurityInfo(device.page);
  await signOut(device.page);
  await graph.call('PATCH', `/users/${grace.id}`, { accountEnabled: false });
  await signInByButton(device);
  await expect(heading(device.page, /^You cannot/)).toBeVisible();
  await device.page.goto('/security-info');
  await expect(heading(device.page, 'Security info')).toBeHidden();
});

test('a passkey that worked here makes its button the first choice (UX-S9)', async ({ admin }) => {
  await admin.page.goto('/');
  await signOut(admin.page);
  await signInByButton(admin);
  await expect(heading(admin.page, 'Hello, Ada Lovelace')).toBeVisible();
  await signOut(admin.page);
  await admin.authenticator.presence(false);
  await admin.page.goto('/signin');
  const colour = (name: string) => admin.page.getByRole('button', { name }).evaluate((b) => getComputedStyle(b).backgroundColor);
  await expect.poll(async () => await colour('Sign in with a passkey') !== await colour('Next')).toBe(true);
});

test('a password that somebody gave out is changed before anything opens', async ({ graph, grace, open }) => {
  await graph.configure('Password', { state: 'enabled' });
  const givenOut = 'seven purple teapots';
  await graph.call('PATCH', `/users/${grace.id}`, { passwordProfile: { password: givenOut, forceChangePasswordNextSignIn: true } });
  const { page } = await open({ authenticator: 'none' });
  await toEntry(page, /^Password/);
  await page.getByLabel('Work email or username').fill(grace.userPrincipalName);
  await page.getByLabel('Password', { exact: true }).fill(givenOut);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(heading(page, 'Choose a new password')).toBeVisible();
  const choose = async (password: string) => {
    await page.getByLabel('New password').fill(password);
    await page.getByRole('button', { name: 'Save and sign in' }).click();
  };
  await choose(givenOut);
  await expect(page.getByRole('alert')).toHaveText('This is the password that has to be changed. Choose another.');
  await expect(page.getByText(`Signing in as ${grace.userPrincipalName}`)).toBeVisible();
  await choose('nine patient harbours');
  await expect(heading(page, 'Choose a new password')).toBeHidden();
  await page.goto('/');
  await expect(heading(page, `Hello, ${grace.displayName}`)).toBeVisible();
});
