// What pages say when a ceremony fails (ux.md §3.5), by the name of the failure.
import { fileURLToPath } from 'node:url';
import { enterPass, heading, openSecurityInfo, signOut, toEntry } from '../harness/journeys.ts';
import { expect, test } from '../harness/test.ts';

const closed = 'Nothing changed. The passkey prompt was closed or timed out. You can try again, or use another way to sign in.';

test('UX-E1: a closed prompt at sign-in is calm, is reported once, and autofill is armed again', async ({ admin, graph, open }) => {
  const device = await open({ authenticator: 'device' }), { page } = device;
  await page.goto('/signin');
  const reported = page.waitForRequest('**/signin/report');
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await expect(page.getByRole('status')).toHaveText(closed);
  expect((await reported).postDataJSON()).toMatchObject({ kind: 'get', name: 'NotAllowedError' });
  await expect(page.getByRole('button', { name: 'Sign in with a passkey' })).toBeEnabled();
  await expect(page.getByLabel('Work email or username')).toBeVisible();
  expect((await graph.signIns()).filter((r) => r.status.errorCode !== 0)).toEqual([]); // UX-S5: no failed attempt

  await test.step('the same page still signs in', async () => {
    for (const credential of await admin.authenticator.credentials()) await device.authenticator.insert({ ...credential, signCount: credential.signCount + 10 });
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await expect(heading(page, 'Hello, Ada Lovelace')).toBeVisible();
  });
});

test('UX-E1: a failed fingerprint while creating changes nothing', async ({ graph, grace, open }) => {
  const { page, authenticator } = await open();
  await authenticator.verifies(false);
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace));
  await page.getByRole('button', { name: 'Create a passkey' }).click();
  await expect(page.getByRole('status')).toHaveText(closed);
  expect(await graph.passkeys(grace)).toEqual([]);
});

test('UX-E2: a device that has a passkey already says so', async ({ admin }) => {
  const { page } = admin;
  await openSecurityInfo(page);
  await page.getByRole('link', { name: 'Create a passkey' }).click();
  await page.getByRole('button', { name: 'Create a passkey' }).click();
  await expect(page.getByRole('status')).toContainText('This device already has a passkey for your account.');
  expect(await admin.authenticator.credentials()).toHaveLength(1);
});

test('UX-E10: no connection, and what was typed stays', async ({ admin, open }) => {
  await admin.page.goto('/');
  const { page, context } = await open();
  await page.goto('/signin');
  await page.getByLabel('Work email or username').fill('ada@contoso.com');
  await context.setOffline(true);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await expect(page.getByRole('status')).toHaveText('We could not reach Contoso. Check your connection and try again.');
  await expect(page.getByLabel('Work email or username')).toHaveValue('ada@contoso.com');
});

test('too many wrong passes: the page says so and names another way', async ({ graph, grace, open }) => {
  await graph.pass(grace);
  const { page } = await open({ authenticator: 'none' });
  await enterPass(page, grace.userPrincipalName, 'wrong123');
  await expect(async () => {
    await page.getByLabel('Temporary access pass').fill('wrong123');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toContainText('Too many tries', { timeout: 500 });
  }).toPass();
  await toEntry(page, /^Temporary access pass/); // the other doors stay open
});

test.describe('with a clock that can be moved', () => {
  test.use({ serverOptions: { program: fileURLToPath(new URL('../../bin/cardea-clock', import.meta.url)) } });

  test('UX-E9: a page that was open for a while renews its challenge and signs in', async ({ server, admin }) => {
    const { page, authenticator } = admin;
    await page.goto('/');
    await signOut(page);
    await authenticator.presence(false);
    const armed = page.waitForResponse('**/signin/passkey/options');
    await page.goto('/signin');
    await (await armed).finished();
    // The challenge, which lives ten minutes, is under way while eleven pass.
    await page.route('**/signin/passkey/options', async (route) => {
      const response = await route.fetch();
      await server.forward('11m');
      await authenticator.presence(true);
      await route.fulfill({ response });
    }, { times: 1 });
    const refused = page.waitForResponse((r) => r.url().endsWith('/signin/passkey') && r.status() === 400); // challengeExpired; refusals are 401 and 403
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await refused;
    await expect(heading(page, 'Hello, Ada Lovelace')).toBeVisible();
  });

  test('UX-E9: a form that was open for too long says so', async ({ server, graph, grace, open, startApp }) => {
    const app = await startApp('Payroll');
    const { page } = await open({ authenticator: 'none' });
    const pass = await graph.pass(grace, { lifetimeInMinutes: 480 });
    await page.goto(`${app.url}/signin`);
    await page.getByRole('link', { name: 'Other ways to sign in' }).click();
    await page.getByRole('link', { name: /^Temporary access pass/ }).click();
    await server.forward('61m'); // a pending sign-in lives one hour
    await page.getByLabel('Work email or username').fill(grace.userPrincipalName);
    await page.getByLabel('Temporary access pass').fill(pass);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByText('This page was open for a while. Please try again.')).toBeVisible();
  });
});
