// Administration as stories: from an empty organisation to a profile for a
// group and the first passkey. console.spec.ts looks at the single pages.
import type { Page } from '@playwright/test';
import { createPasskey, enterPass, heading, openSecurityInfo } from '../harness/journeys.ts';
import { expect, test } from '../harness/test.ts';

const go = (page: Page, name: string) => page.getByRole('navigation', { name: 'Administration' }).getByRole('link', { name }).click();

// save goes from an open editor through the review.
async function save(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Review changes' }).click();
  await expect(page.getByRole('heading', { name: 'Review changes' })).toBeFocused();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('dialog')).toBeHidden();
}

test('a group, a person, a profile for the group, and the way in for the person', async ({ admin, open, server }) => {
  const { page } = admin;
  await page.goto('/admin');
  await expect(heading(page, 'Home')).toBeVisible();
  await expect(page.getByText('Only one person is Global Administrator.')).toBeVisible();

  await go(page, 'Groups');
  await page.getByRole('button', { name: 'Add group' }).click();
  await page.getByRole('dialog', { name: 'Add group' }).getByLabel('Name').fill('Sales');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(heading(page, 'Sales')).toBeVisible();

  await go(page, 'People');
  await page.getByRole('button', { name: 'Add person' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add person' });
  await dialog.getByLabel('Name', { exact: true }).fill('Grace Hopper');
  await dialog.getByLabel('User name').fill('grace');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(heading(page, 'Grace Hopper')).toBeVisible();
  const grace = page.url();

  await go(page, 'Groups');
  await page.getByRole('link', { name: 'Sales' }).click();
  await page.getByLabel('Add a person or group').fill('Grace');
  await page.getByRole('button', { name: /^Grace Hopper/ }).click();
  await expect(page.getByRole('row', { name: /Grace Hopper/ })).toContainText('grace@contoso.com');

  await go(page, 'Passkeys');
  await page.getByRole('button', { name: 'Add profile' }).click();
  await page.getByRole('button', { name: /^Any passkey/ }).click();
  const editor = page.getByRole('dialog', { name: 'New profile' });
  await editor.getByLabel('Name', { exact: true }).fill('Sales');
  await editor.getByLabel('Add a group, role or person').fill('Sales');
  await editor.getByRole('button', { name: /^Sales/ }).click();
  await expect(editor.getByRole('region', { name: 'Effect of your change' })).toContainText('stay as they are');
  await save(page);
  await expect(page.getByRole('status').first()).toContainText('“Sales” is saved. It counts from the next sign-in on.');
  await expect(page.getByRole('listitem').filter({ has: page.getByRole('heading', { level: 3, name: 'Sales' }) })).toContainText('Device-bound and synced');

  await page.goto(grace);
  await expect(page.getByText('No way to sign in yet.')).toBeVisible();
  await page.getByRole('button', { name: 'Issue Temporary Access Pass' }).click();
  await expect(page.getByText('First make sure that it really is Grace Hopper')).toBeVisible();
  await page.getByRole('button', { name: 'Issue pass' }).click();
  const made = page.getByRole('dialog', { name: 'Temporary Access Pass for Grace Hopper' });
  await expect(made).toContainText(`They open ${new URL(server.url).host} and type the user name.`);
  const pass = await made.getByRole('code').innerText();

  const laptop = await open();
  await enterPass(laptop.page, 'grace@contoso.com', pass);
  await createPasskey(laptop.page, 'Work laptop');
  await page.reload();
  await expect(page.getByText(pass)).toBeHidden(); // shown once
  const passkey = page.getByRole('listitem').filter({ has: page.getByRole('heading', { level: 3, name: 'Work laptop' }) });
  await expect(passkey).toContainText(/Accepted by (Sales|Default passkey profile)/);
  await go(page, 'Sign-ins');
  await expect(page.getByRole('row', { name: /Grace Hopper/ }).first()).toContainText('Success');
});

test('what a change would do stands there before it is saved, and then happens', async ({ admin, graph, grace, open }) => {
  const laptop = await open();
  await enterPass(laptop.page, grace.userPrincipalName, await graph.pass(grace, { isUsableOnce: true }));
  await createPasskey(laptop.page, 'Password manager');
  const { page } = admin;
  await page.goto('/admin/methods/passkey');
  await page.getByRole('button', { name: 'Edit Default passkey profile' }).click();
  const editor = page.getByRole('dialog', { name: 'Edit “Default passkey profile”' }), effect = editor.getByRole('region', { name: 'Effect of your change' });
  await editor.getByLabel(/^Synced/).uncheck();
  await expect(effect).toContainText('1 passkey of 1 person stops working.');
  await expect(effect).toContainText('1 person cannot sign in any more. Give them a Temporary Access Pass.');
  await expect(effect).toContainText('1 of a type that is not accepted');

  await save(page);
  await page.goto(`/admin/users/${grace.id}`);
  const passkey = page.getByRole('listitem').filter({ has: page.getByRole('heading', { level: 3, name: 'Password manager' }) });
  await expect(passkey).toContainText('Refused');
  await expect(passkey).toContainText('“Default passkey profile” does not accept this type.');
});

test('two administrators at once: the second is told, and nothing is lost', async ({ admin, graph }) => {
  const { page } = admin;
  await page.goto('/admin/methods/passkey');
  await page.getByRole('button', { name: 'Change: Self-service set-up' }).click();
  await graph.configure('Fido2', { isSelfServiceRegistrationAllowed: true, excludeTargets: [] });
  await graph.configure('Fido2', { passkeyProfiles: [{ id: '00000000-0000-0000-0000-000000000001', name: 'Default passkey profile', passkeyTypes: 'deviceBound,synced', attestationEnforcement: 'disabled', keyRestrictions: { isEnforced: false, enforcementType: 'allow', aaGuids: [] } }] });
  await page.getByRole('button', { name: 'Review changes' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Load what is there now' }).click();
  await expect(page.getByText('This is what is stored now. Your change was not saved.')).toBeVisible();
});

test('by keyboard: Escape closes a drawer and the focus goes back to its button', async ({ admin }) => {
  const { page } = admin;
  await page.goto('/admin/methods/passkey');
  const edit = page.getByRole('button', { name: 'Edit Default passkey profile' });
  await edit.focus();
  await page.keyboard.press('Enter');
  const drawer = page.getByRole('dialog');
  await expect(drawer).toBeVisible();
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab');
    // The drawer keeps the focus; between its end and its start is the browser's own bar.
    expect(await page.evaluate(() => document.activeElement === document.body || !!document.activeElement?.closest('dialog'))).toBe(true);
  }
  await page.keyboard.press('Escape');
  await expect(drawer).toBeHidden();
  await expect(edit).toBeFocused();
});

test('who has no role is sent away, and the token endpoint gives nothing', async ({ graph, grace, open }) => {
  const { page } = await open();
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace));
  await createPasskey(page);
  await openSecurityInfo(page);
  expect((await page.goto('/admin'))?.status()).toBe(403);
  await expect(page.getByRole('main')).not.toBeEmpty();
  expect((await page.request.post('/admin/token', { headers: { origin: new URL(page.url()).origin }, data: {} })).status()).toBe(403);
});
