// Takes the pictures of docs/images from the real server: each page light and
// dark, and the two that people see most on a phone.
import { fileURLToPath } from 'node:url';
import type { Page } from '@playwright/test';
import { ada, createPasskey, enterPass, heading, openSecurityInfo, signInByButton } from '../harness/journeys.ts';
import { expect, test } from '../harness/test.ts';

const folder = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const desk = { width: 1000, height: 720 }, phone = { width: 390, height: 780 };

async function take(page: Page, name: string, size = desk): Promise<void> {
  await page.setViewportSize(size);
  for (const look of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: look, reducedMotion: 'reduce' });
    await page.screenshot({ path: `${folder}${name}${look === 'dark' ? '-dark' : ''}.png`, fullPage: size === desk, animations: 'disabled', caret: 'hide' });
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

test('sign-in and the first passkey', async ({ open, graph, grace, startApp }) => {
  const app = await startApp('Payroll');
  const { page } = await open();
  await page.goto(`${app.url}/signin`);
  await expect(page.getByText('to continue to Payroll')).toBeVisible();
  await take(page, 'sign-in');
  await take(page, 'sign-in-phone', phone);
  await page.getByRole('link', { name: 'Other ways to sign in' }).click();
  await take(page, 'other-ways');
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace));
  await expect(heading(page, 'Now create a passkey')).toBeVisible();
  await take(page, 'create-passkey');
});

test('set-up', async ({ server, open }) => {
  const { page } = await open();
  await page.goto(await server.setupLink());
  await page.getByLabel('Organisation').fill(ada.organisation);
  await page.getByLabel('Your name').fill(ada.person);
  await page.getByLabel('Your username').fill(ada.username);
  await take(page, 'set-up');
});

test('Security info', async ({ graph, grace, open }) => {
  const device = await open(), { page } = device;
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace));
  await createPasskey(page, 'Work laptop');
  await device.authenticator.unplug();
  await device.plugIn('key');
  await openSecurityInfo(page);
  await page.getByRole('link', { name: 'Create a passkey' }).click();
  await createPasskey(page, 'Blue key');
  await openSecurityInfo(page);
  await take(page, 'security-info');
  await take(page, 'security-info-phone', phone);
});

test('refused, with the way out', async ({ graph, grace, open }) => {
  const device = await open(), { page } = device;
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace));
  await createPasskey(page, 'Password manager');
  await openSecurityInfo(page);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await graph.configure('Fido2', { passkeyProfiles: [{ id: '00000000-0000-0000-0000-000000000001', name: 'Default passkey profile', passkeyTypes: 'deviceBound', attestationEnforcement: 'disabled', keyRestrictions: { isEnforced: false, enforcementType: 'block', aaGuids: [] } }] });
  await signInByButton(device);
  await expect(heading(page, /^You cannot/)).toBeVisible();
  await take(page, 'refused');
});
