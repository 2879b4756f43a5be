// axe on every page and step, light, dark and forced colours. The devices here
// bypass the policy, because axe brings its own script; the policy is tested
// everywhere else.
import { expectAccessible } from '../harness/accessibility.ts';
import { ada, createPasskey, enterPass, heading, openSecurityInfo, signInByButton } from '../harness/journeys.ts';
import { expect, test } from '../harness/test.ts';

test.setTimeout(480_000);

test('set-up, step by step', async ({ server, open }) => {
  const { page } = await open({ authenticator: 'device', bypassCSP: true });
  await page.goto(await server.setupLink());
  await expectAccessible(page, 'set-up: names');
  await page.getByLabel('Organisation').fill(ada.organisation);
  await page.getByLabel('Your name').fill(ada.person);
  await page.getByLabel('Your username').fill('not a name');
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await expectAccessible(page, 'set-up: names, refused');
  await page.getByLabel('Your username').fill(ada.username);
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(heading(page, 'Create your passkey')).toBeVisible();
  await expectAccessible(page, 'set-up: passkey');
  await page.getByRole('button', { name: 'Create a passkey' }).click();
  await expect(heading(page, 'Let’s name your passkey')).toBeVisible();
  await expectAccessible(page, 'set-up: name of the passkey');
  await page.getByRole('button', { name: 'Keep this name' }).click();
  await expect(heading(page, 'Passkey created')).toBeVisible();
  await expectAccessible(page, 'set-up: passkey created');
  await page.getByRole('link', { name: /^(Done|Continue to )/ }).click();
  await expect(heading(page, 'Contoso is ready')).toBeVisible();
  await expectAccessible(page, 'set-up: done');
});

test('everything before sign-in', async ({ admin, graph, grace, startApp, open }) => {
  await admin.page.goto('/');
  const { page } = await open({ authenticator: 'device', bypassCSP: true });
  for (const path of ['/signin', '/signin/other', '/signin/temporary-access-pass', '/signin/app-code', '/signin/password', '/signin/help', '/no-such-page', '/setup?link=dead.dead']) {
    await page.goto(path);
    await expectAccessible(page, path);
  }
  await page.goto('/signin/other');
  for (const more of await page.getByRole('main').locator('summary').all()) await more.click();
  await expectAccessible(page, 'other ways, opened');

  await page.goto('/signin');
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await expect(page.getByRole('status')).toContainText('Nothing changed.');
  await expectAccessible(page, 'sign-in, prompt closed');

  await enterPass(page, 'nobody@contoso.com', 'wrong123');
  await expect(page.getByRole('alert')).toBeVisible();
  await expectAccessible(page, 'temporary access pass, refused');

  await page.goto(`${(await startApp('Payroll')).url}/signin`);
  await expect(page.getByText('to continue to Payroll')).toBeVisible();
  await expectAccessible(page, 'sign-in for an application');

  await page.goto(await graph.enrolmentLink(grace));
  await expect(heading(page, 'Welcome, Grace Hopper')).toBeVisible();
  await expectAccessible(page, 'enrolment link');

  await graph.configure('Password', { state: 'enabled' });
  await graph.call('PATCH', `/users/${grace.id}`, { passwordProfile: { password: 'seven purple teapots', forceChangePasswordNextSignIn: true } });
  await page.goto('/signin/password');
  await page.getByLabel('Work email or username').fill(grace.userPrincipalName);
  await page.getByLabel('Password', { exact: true }).fill('seven purple teapots');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(heading(page, 'Choose a new password')).toBeVisible();
  await expectAccessible(page, 'new password');
  await page.getByLabel('New password').fill('seven purple teapots');
  await page.getByRole('button', { name: 'Save and sign in' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await expectAccessible(page, 'new password, refused');
});

test('everything after sign-in', async ({ graph, grace, open }) => {
  const device = await open({ bypassCSP: true }), { page } = device;
  await graph.configure('Password', { state: 'enabled' });
  await graph.configure('SoftwareOath', { state: 'enabled' });
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace));
  await expect(heading(page, 'Now create a passkey')).toBeVisible();
  await expectAccessible(page, 'create a passkey after a pass');
  await openSecurityInfo(page);
  await expectAccessible(page, 'Security info without a passkey');
  await page.getByRole('link', { name: 'Create a passkey' }).first().click();
  await expectAccessible(page, 'create a passkey');
  await createPasskey(page, 'Work laptop');

  await openSecurityInfo(page);
  await expectAccessible(page, 'Security info with a passkey');
  await page.getByRole('link', { name: 'Rename Work laptop' }).click();
  await expectAccessible(page, 'rename');
  await page.goBack();
  await page.getByRole('link', { name: 'Delete Work laptop' }).click();
  await expectAccessible(page, 'delete');
  await page.goBack();
  await page.getByRole('link', { name: 'Delete Temporary access pass' }).click();
  await expectAccessible(page, 'delete a pass');
  for (const path of ['/', '/security-info/lost', '/security-info/sign-out-everywhere', '/security-info/app-code', '/security-info/password']) {
    await page.goto(path);
    await expectAccessible(page, path);
  }

  await test.step('a passkey that the rules refuse', async () => {
    await graph.configure('Fido2', { passkeyProfiles: [{ id: '00000000-0000-0000-0000-000000000001', name: 'Default passkey profile', passkeyTypes: 'deviceBound', attestationEnforcement: 'disabled', keyRestrictions: { isEnforced: false, enforcementType: 'block', aaGuids: [] } }] });
    await openSecurityInfo(page);
    await expect(page.getByText('Not accepted any more')).toBeVisible();
    await expectAccessible(page, 'Security info with a refused passkey');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(heading(page, 'You are signed out')).toBeVisible();
    await expectAccessible(page, 'signed out');
    await signInByButton(device);
    await expect(heading(page, /^You cannot/)).toBeVisible();
    await expectAccessible(page, 'blocked by policy');
  });
});
