// Security info: what people see and do about their own ways to sign in.
import type { Page } from '@playwright/test';
import { card, createPasskey, enterPass, heading, openSecurityInfo, signOut, toEntry } from '../harness/journeys.ts';
import { expect, test } from '../harness/test.ts';
import { totp } from '../harness/totp.ts';

const flash = (page: Page) => page.getByRole('status').first();

test('list and rename', async ({ admin }) => {
  const { page } = admin;
  await openSecurityInfo(page);
  await expect(page.getByText('You have one passkey. Add a second one on another device')).toBeVisible();
  const first = page.getByRole('region', { name: 'Passkeys' }).getByRole('listitem');
  await expect(first).toHaveCount(1);
  await expect(first).toContainText('Only on this device');
  await first.getByRole('link', { name: /^Rename / }).click();
  await page.getByLabel('Name').fill('My desk');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(flash(page)).toHaveText('The passkey is now called “My desk”.');
  await expect(card(page, 'My desk')).toBeVisible();

  await test.step('a name that is too long is explained, not cut', async () => {
    await page.getByRole('link', { name: 'Rename My desk' }).click();
    // A browser that ignores maxlength, or a script.
    await page.getByLabel('Name').evaluate((field) => field.removeAttribute('maxlength'));
    await page.getByLabel('Name').fill('x'.repeat(31));
    await page.getByRole('button', { name: 'Save' }).click();
    await expect(page.getByRole('alert')).toHaveText('Use 1 to 30 characters.');
  });
});

test('a second passkey, then delete the first: the authenticator forgets it (UX-M5)', async ({ admin }) => {
  const { page, authenticator } = admin;
  await openSecurityInfo(page);
  await authenticator.unplug();
  const key = await admin.plugIn('key');
  await page.getByRole('link', { name: 'Create a passkey' }).click();
  await createPasskey(page, 'Blue key');
  await openSecurityInfo(page);
  await expect(card(page, 'Blue key')).toContainText('Only on this key');
  await expect(page.getByRole('region', { name: 'Passkeys' }).getByRole('listitem')).toHaveCount(2);
  expect(await key.credentials()).toHaveLength(1);

  await page.getByRole('link', { name: 'Delete Blue key' }).click();
  await expect(heading(page, 'Delete “Blue key”?')).toBeVisible();
  await page.getByRole('button', { name: 'Delete passkey' }).click();
  await expect(flash(page)).toContainText('Passkey “Blue key” is deleted.');
  await expect(card(page, 'Blue key')).toBeHidden();
  // signalAllAcceptedCredentials: what is not on the list goes.
  await expect.poll(async () => (await key.credentials()).length).toBe(0);
});

test('the last strong method stays (PK-132)', async ({ admin, graph }) => {
  const { page } = admin;
  await openSecurityInfo(page);
  await page.getByRole('link', { name: /^Delete / }).click();
  await expect(page.getByRole('button', { name: 'Delete passkey' })).toBeHidden();
  await expect(page.getByRole('link', { name: 'Keep it' })).toBeVisible();
  await page.getByRole('link', { name: 'Keep it' }).click();
  await expect(heading(page, 'Security info')).toBeVisible();
  const me = (await graph.call<{ value: { id: string }[] }>('GET', "/users?$filter=userPrincipalName eq 'ada@contoso.com'")).value[0]!;
  expect(await graph.passkeys({ ...me, displayName: '', userPrincipalName: '' })).toHaveLength(1);
});

test('a new name reaches the password manager (signalCurrentUserDetails)', async ({ admin, graph }) => {
  await graph.call('PATCH', '/users/ada@contoso.com', { displayName: 'Ada King' });
  await openSecurityInfo(admin.page);
  await expect.poll(async () => (await admin.authenticator.credentials())[0]?.userDisplayName).toBe('Ada King');
});

test('a pass shows with its end and can be deleted by its owner (PK-155); recent activity tells', async ({ graph, grace, open }) => {
  const { page } = await open();
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace, { lifetimeInMinutes: 60 }));
  await createPasskey(page, 'Work laptop');
  await openSecurityInfo(page);
  const pass = card(page, 'Temporary access pass');
  await expect(pass).toContainText('Ends');
  const recent = page.getByRole('region', { name: 'Recent activity' });
  await expect(recent).toContainText('Passkey “Work laptop” added');
  await expect(recent).toContainText('Temporary access pass issued by');
  await expect(recent).toContainText('Signed in with a temporary access pass');

  await pass.getByRole('link', { name: 'Delete Temporary access pass' }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await expect(flash(page)).toHaveText('Temporary access pass is deleted.');
  await expect(card(page, 'Temporary access pass')).toBeHidden();
  expect((await graph.call<{ value: unknown[] }>('GET', `/users/${grace.id}/authentication/temporaryAccessPassMethods`)).value).toEqual([]);
});

test('sign out everywhere ends the other devices, not this one', async ({ admin, open }) => {
  const { page } = admin;
  const other = await open({ authenticator: 'device' });
  for (const credential of await admin.authenticator.credentials()) await other.authenticator.insert({ ...credential, signCount: credential.signCount + 10 });
  await other.page.goto('/signin');
  await expect(heading(other.page, 'Hello, Ada Lovelace')).toBeVisible();
  await openSecurityInfo(page);
  await page.getByRole('link', { name: 'Sign out everywhere' }).click();
  await page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await expect(flash(page)).toHaveText('You are signed out everywhere but here.');
  await other.authenticator.presence(false);
  await other.page.goto('/security-info');
  await expect(heading(other.page, 'Security info')).toBeHidden();
  await expect(heading(other.page, 'Sign in')).toBeVisible();
});

test('a lost device: its passkey goes, and everybody else is signed out', async ({ admin, graph }) => {
  const { page } = admin;
  await openSecurityInfo(page);
  await admin.authenticator.unplug();
  await admin.plugIn('key');
  await page.getByRole('link', { name: 'Create a passkey' }).click();
  await createPasskey(page, 'Lost key');
  await openSecurityInfo(page);
  await page.getByRole('link', { name: 'Lost a device?' }).click();
  await page.getByRole('checkbox', { name: 'Lost key' }).check();
  await page.getByRole('button', { name: 'Delete and sign out' }).click();
  await expect(heading(page, 'Security info')).toBeVisible();
  await expect(card(page, 'Lost key')).toBeHidden();
  expect((await graph.audits()).map((a) => a.activityDisplayName).join()).toMatch(/deleted/i);
});

test('password and app code, once the organisation allows them', async ({ graph, grace, open }) => {
  const { page } = await open();
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace));
  await createPasskey(page, 'Work laptop');
  await openSecurityInfo(page);
  await expect(page.getByRole('link', { name: 'Set a password' })).toBeHidden();
  await expect(page.getByRole('link', { name: 'Add an authenticator app' })).toBeHidden();
  await graph.configure('Password', { state: 'enabled' });
  await graph.configure('SoftwareOath', { state: 'enabled' });
  await page.reload();

  await page.getByRole('link', { name: 'Set a password' }).click();
  await page.getByLabel('New password').fill('correct horse battery staple');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(flash(page)).toHaveText('The password is saved.');
  await expect(card(page, 'Password')).toContainText('Can be phished');

  await page.getByRole('link', { name: 'Add an authenticator app' }).click();
  const secret = await page.locator('#secret').innerText();
  await page.getByLabel('Code from the app').fill('000000');
  await page.getByRole('button', { name: 'Add the app' }).click();
  await expect(page.getByRole('alert')).toContainText('This code is not right');
  expect(await page.locator('#secret').innerText()).toBe(secret);
  // The set-up takes the code of the step before; sign-in then takes the next.
  await page.getByLabel('Code from the app').fill(totp(secret, Date.now() - 30_000));
  await page.getByRole('button', { name: 'Add the app' }).click();
  await expect(flash(page)).toHaveText('The authenticator app is set up.');
  await expect(card(page, 'Authenticator app (code)')).toBeVisible();

  await test.step('signing in with both on a device without passkeys', async () => {
    const borrowed = await open({ authenticator: 'none' });
    await toEntry(borrowed.page, /^Password/);
    await borrowed.page.getByLabel('Work email or username').fill(grace.userPrincipalName);
    await borrowed.page.getByLabel('Password', { exact: true }).fill('correct horse battery staple');
    await borrowed.page.getByRole('button', { name: 'Sign in' }).click();
    await expect(heading(borrowed.page, 'Enter the code')).toBeVisible();
    await borrowed.page.getByLabel('Code from the app').fill(totp(secret));
    await borrowed.page.getByRole('button', { name: 'Sign in' }).click();
    await openSecurityInfo(borrowed.page);
    await expect(card(borrowed.page, 'Authenticator app (code)')).toContainText('Last used');
    await signOut(borrowed.page);
  });

  await test.step('both go again', async () => {
    await page.getByRole('link', { name: 'Delete Password' }).click();
    await page.getByRole('button', { name: 'Delete' }).click();
    await expect(flash(page)).toHaveText('Password is deleted.');
    await page.getByRole('link', { name: 'Delete Authenticator app (code)' }).click();
    await page.getByRole('button', { name: 'Delete' }).click();
    await expect(flash(page)).toHaveText('Authenticator app (code) is deleted.');
  });
});

test('nobody else’s passkey can be renamed or deleted by its address', async ({ graph, grace, open, admin }) => {
  await openSecurityInfo(admin.page);
  const address = await admin.page.getByRole('link', { name: /^Delete / }).getAttribute('href');
  const { page } = await open();
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace));
  await createPasskey(page);
  expect((await page.goto(address!))?.status()).toBe(404);
  const answer = await page.request.post(address!, { headers: { origin: new URL(page.url()).origin }, form: {} });
  expect(answer.status()).toBe(404);
});
