// The interim administration pages, against the real server: what they do goes
// through the API, and the watch of each device sees that no policy is broken.
import { expectAccessible, expectNoSidewaysScroll } from '../harness/accessibility.ts';
import { enterPass, heading } from '../harness/journeys.ts';
import { expect, test } from '../harness/test.ts';

test('home says what needs attention', async ({ admin }) => {
  const { page } = admin;
  await page.goto('/admin');
  const needs = page.getByRole('region', { name: 'Needs attention' });
  await expect(needs).toContainText('There is no FIDO metadata.');
  await expect(needs).toContainText('1 administrator has only one passkey: Ada Lovelace.');
  await expect(needs).toContainText('No group of emergency accounts is chosen.');
  await expect(page.getByRole('region', { name: 'Administrators' }).getByRole('link', { name: 'Ada Lovelace' })).toBeVisible();
});

test('a pass issued here lets somebody in, and is shown once (PK-145)', async ({ admin, grace, open }) => {
  const { page } = admin;
  await page.goto('/admin/users');
  await page.getByLabel('Search by name').fill('grace');
  await page.getByRole('link', { name: grace.displayName }).click();
  await expect(heading(page, grace.displayName)).toBeVisible();
  await expect(page.getByText('No way to sign in yet.')).toBeVisible();
  await page.getByRole('button', { name: 'Issue Temporary Access Pass' }).click();
  await page.getByRole('button', { name: 'Issue pass' }).click();
  const pass = await page.getByRole('dialog').locator('.secret').innerText();
  await page.getByRole('button', { name: 'Done' }).click();
  await expect(page.getByText('Can be used')).toBeVisible();
  await page.reload();
  await expect(page.getByText('Can be used')).toBeVisible();
  await expect(page.getByText(pass)).toHaveCount(0);
  const device = await open({ authenticator: 'device' });
  await enterPass(device.page, grace.userPrincipalName, pass);
  await expect(device.page.getByRole('button', { name: 'Create a passkey' })).toBeVisible();
});

test('a change that would lock administrators out is shown and cannot be saved (PK-42)', async ({ admin }) => {
  const { page } = admin;
  await page.goto('/admin/methods/passkey');
  await page.getByRole('button', { name: 'Edit Default passkey profile' }).click();
  const drawer = page.getByRole('dialog');
  await drawer.getByRole('checkbox', { name: /^Device-bound/ }).uncheck();
  await expect(drawer.getByRole('region', { name: 'Effect of your change' })).toContainText('This would lock out all administrators.');
  await expect(drawer).toContainText('1 passkey of 1 person stops working.');
  await drawer.getByRole('button', { name: 'Review changes' }).click();
  await expect(drawer).toContainText('no administrator could sign in afterwards');
  await expect(drawer.getByRole('button', { name: 'Save' })).toHaveCount(0);
});

test('a profile for a group, by keyboard', async ({ admin }) => {
  const { page } = admin;
  await page.goto('/admin/groups');
  await page.getByRole('button', { name: 'Add group' }).press('Enter');
  await page.keyboard.type('Pilot');
  await page.keyboard.press('Enter');
  await expect(heading(page, 'Pilot')).toBeVisible();
  await page.goto('/admin/methods/passkey');
  await page.getByRole('button', { name: 'Add profile' }).press('Enter');
  await page.getByRole('button', { name: /^One provider/ }).press('Enter');
  const drawer = page.getByRole('dialog');
  await drawer.getByLabel('Find a provider or model').press('b');
  await drawer.getByRole('checkbox', { name: /^Bitwarden/ }).press('Space');
  await drawer.getByLabel('Add a group, role or person').pressSequentially('pil');
  await expect(drawer.getByRole('button', { name: /^Pilot/ })).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(drawer).toContainText('Pilot added.');
  await drawer.getByRole('button', { name: 'Review changes' }).press('Enter');
  await expect(drawer.getByRole('table')).toContainText('Only Bitwarden');
  await drawer.getByRole('button', { name: 'Save' }).press('Enter');
  await expect(page.getByRole('status').first()).toHaveText('“One provider” is saved. It counts from the next sign-in on.');
  await page.getByRole('link', { name: 'Pilot' }).click();
  await expect(page.getByRole('region', { name: 'Used by' })).toContainText('One provider');
});

test('nobody gets in without a session, and no other site gets a token', async ({ admin, open }) => {
  await admin.page.goto('/admin');
  await expect(heading(admin.page, 'Home')).toBeVisible();
  const stranger = await open();
  await stranger.page.goto('/admin/users?q=ada');
  await expect(stranger.page).toHaveURL(/\/signin\?next=%2Fadmin%2Fusers%3Fq%3Dada/);
  const asked = (headers: Record<string, string>) => admin.page.request.post('/admin/token', { data: {}, headers });
  expect((await asked({ 'Sec-Fetch-Site': 'same-origin' })).status()).toBe(200);
  expect((await asked({ 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' })).status()).toBe(403);
});

test('accessible, and no wider than a phone', async ({ admin, graph, grace, open }) => {
  test.setTimeout(480_000);
  await graph.pass(grace);
  const group = await graph.call<{ id: string }>('POST', '/groups', { displayName: 'Sales', mailEnabled: false, mailNickname: 'sales', securityEnabled: true });
  const { page } = await open({ authenticator: 'none', bypassCSP: true, storageState: await admin.context.storageState() });
  const look = async (what: string) => {
    await expect(page.locator('[aria-busy]')).toHaveCount(0);
    await expectAccessible(page, what);
    await page.setViewportSize({ width: 320, height: 640 });
    await expectNoSidewaysScroll(page);
    await page.setViewportSize({ width: 1280, height: 720 });
  };
  for (const path of ['/admin', '/admin/methods/passkey', '/admin/users', `/admin/users/${grace.id}`, '/admin/groups', `/admin/groups/${group.id}`, '/admin/logs/sign-ins', '/admin/settings/organisation']) {
    await page.goto(path);
    await look(path);
  }
  await page.goto('/admin/methods/passkey');
  await page.getByRole('button', { name: 'Edit Default passkey profile' }).click();
  await page.getByRole('checkbox', { name: /^Only certain providers/ }).check();
  await page.getByRole('radio', { name: 'Allow these, nothing else' }).check();
  await expect(page.getByRole('region', { name: 'Effect of your change' })).toContainText('stops working');
  await look('editor of a profile');
  await page.getByRole('button', { name: 'Review changes' }).click();
  await look('review');
  await page.goto(`/admin/users/${grace.id}`);
  await page.getByRole('button', { name: 'Enrolment link' }).click();
  await page.getByRole('button', { name: 'Make link' }).click();
  await expect(page.getByRole('dialog', { name: `Enrolment link for ${grace.displayName}` })).toBeVisible();
  await look('enrolment link');
});
