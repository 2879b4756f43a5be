// What people do on the pages, step by step, by the words they read there.
import { expect, type Page } from '@playwright/test';
import type { Device } from './device.ts';

export type FirstAdministrator = { organisation: string; person: string; username: string };

export const ada: FirstAdministrator = { organisation: 'Contoso', person: 'Ada Lovelace', username: 'ada@contoso.com' };

export const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { level: 1, name });

// setUp walks the three steps behind the set-up link.
export async function setUp(page: Page, link: string, who: FirstAdministrator = ada): Promise<void> {
  await page.goto(link);
  await expect(heading(page, 'Set up Cardea')).toBeVisible();
  await page.getByLabel('Organisation').fill(who.organisation);
  await page.getByLabel('Your name').fill(who.person);
  await page.getByLabel('Your username').fill(who.username);
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(heading(page, 'Create your passkey')).toBeVisible();
  await createPasskey(page);
  await expect(heading(page, `${who.organisation} is ready`)).toBeVisible();
}

// createPasskey goes from the button "Create a passkey" to the page that
// follows, naming the passkey and trying it where that is offered.
export async function createPasskey(page: Page, name?: string): Promise<void> {
  await page.getByRole('button', { name: 'Create a passkey' }).click();
  await expect(heading(page, 'Let’s name your passkey')).toBeVisible();
  if (name) {
    await page.getByLabel('Name').fill(name);
    await page.getByRole('button', { name: 'Save' }).click();
  } else {
    await page.getByRole('button', { name: 'Keep this name' }).click();
  }
  await expect(heading(page, 'Passkey created')).toBeVisible();
  const tryIt = page.getByRole('button', { name: 'Try it now' });
  if (await tryIt.isVisible()) {
    await tryIt.click();
    await expect(page.getByRole('status')).toHaveText('It works. From now on this is how you sign in.');
  }
  await page.getByRole('link', { name: /^(Done|Continue to )/ }).click();
}

// toEntry goes from the sign-in page to the form for one secret.
export async function toEntry(page: Page, way: RegExp): Promise<void> {
  await page.goto('/signin');
  await page.getByRole('link', { name: 'Other ways to sign in' }).click();
  await expect(heading(page, 'Other ways to sign in')).toBeVisible();
  await page.getByRole('link', { name: way }).click();
}

// enterPass types a Temporary Access Pass.
export async function enterPass(page: Page, username: string, pass: string): Promise<void> {
  await toEntry(page, /^Temporary access pass/);
  await expect(heading(page, 'Enter your temporary access pass')).toBeVisible();
  await page.getByLabel('Work email or username').fill(username);
  await page.getByLabel('Temporary access pass').fill(pass);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

// signInByButton signs in with "Sign in with a passkey" on the page at path,
// while autofill waits. The authenticator would answer autofill as soon as it
// is touched, so the touch comes when the button's own request is on its way:
// by then the page has given up the one that waited.
export async function signInByButton(device: Device, path = '/signin'): Promise<void> {
  const { page, authenticator } = device, options = '**/signin/passkey/options';
  await authenticator.presence(false);
  const armed = page.waitForResponse(options);
  await page.goto(path);
  await (await armed).finished();
  await page.route(options, async (route) => {
    await authenticator.presence(true);
    await route.continue();
  }, { times: 1 });
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
}

// openSecurityInfo goes there by the address, which must not ask to sign in.
export async function openSecurityInfo(page: Page): Promise<void> {
  await page.goto('/security-info');
  await expect(heading(page, 'Security info')).toBeVisible();
}

export async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(heading(page, 'You are signed out')).toBeVisible();
}

// card is one entry of Security info, by its name.
export const card = (page: Page, name: string) => page.getByRole('listitem').filter({ has: page.getByRole('heading', { level: 3, name, exact: true }) });
