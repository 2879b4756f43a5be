// What holds for every page: weight, width, targets, links, no script.
import { gzipSync } from 'node:zlib';
import type { Page } from '@playwright/test';
import type { Device } from '../harness/device.ts';
import { expectNoSidewaysScroll, expectTargets } from '../harness/accessibility.ts';
import { enterPass, heading, openSecurityInfo } from '../harness/journeys.ts';
import { expect, test } from '../harness/test.ts';

const outside = ['/signin', '/signin/other', '/signin/temporary-access-pass', '/signin/app-code', '/signin/password', '/signin/help', '/no-such-page'];
const inside = ['/', '/security-info', '/security-info/passkeys/add', '/security-info/lost', '/security-info/sign-out-everywhere', '/security-info/app-code', '/security-info/password'];

// weigh returns what a first visit costs in gzip, page and script apart.
async function weigh(page: Page, path: string): Promise<{ all: number; script: number; requests: number }> {
  const bodies: { type: string; body: Promise<Buffer> }[] = [];
  page.on('response', (answer) => {
    if (answer.request().method() === 'GET' && answer.ok()) bodies.push({ type: answer.request().resourceType(), body: answer.body() });
  });
  await page.goto(path, { waitUntil: 'networkidle' });
  page.removeAllListeners('response');
  let all = 0, script = 0;
  for (const { type, body } of bodies) {
    const size = gzipSync(await body, { level: 9 }).length;
    all += size;
    if (type === 'script') script += size;
  }
  return { all, script, requests: bodies.length };
}

async function allowEverything(configure: (method: 'Password' | 'SoftwareOath', change: object) => Promise<void>): Promise<void> {
  await configure('Password', { state: 'enabled' });
  await configure('SoftwareOath', { state: 'enabled' });
}

test('a page weighs at most 15 KB, its script 5 KB (ux.md §1.6)', async ({ admin, graph, open }) => {
  await allowEverything((method, change) => graph.configure(method, change));
  const check = async (device: Device, path: string) => {
    const page = await device.context.newPage();
    // A signed-in device has the assets already; a first visit is what counts.
    const cdp = await device.context.newCDPSession(page);
    await cdp.send('Network.setCacheDisabled', { cacheDisabled: true });
    const weight = await weigh(page, path);
    console.log(`${path}: ${weight.all} bytes in ${weight.requests} requests, script ${weight.script}`);
    expect(weight.script, `${path}: its script`).toBeGreaterThan(0);
    expect(weight.script, `${path}: its script`).toBeLessThanOrEqual(5 * 1024);
    expect(weight.all, path).toBeLessThanOrEqual(15 * 1024);
    await page.close();
  };
  const stranger = await open({ authenticator: 'none' });
  for (const path of outside) await check(stranger, path);
  for (const path of inside) await check(admin, path);
});

test('320 px: nothing scrolls sideways, every target is 44 px', async ({ admin, graph, open }) => {
  await allowEverything((method, change) => graph.configure(method, change));
  const phone = await open({ authenticator: 'none', viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true });
  for (const path of outside) {
    await phone.page.goto(path);
    await expectNoSidewaysScroll(phone.page);
    await expectTargets(phone.page);
  }
  await admin.page.setViewportSize({ width: 320, height: 640 });
  for (const path of inside) {
    await admin.page.goto(path);
    await expectNoSidewaysScroll(admin.page);
    await expectTargets(admin.page);
  }
});

test('texts of 200 % still fit', async ({ open }) => {
  const { page } = await open({ authenticator: 'none', viewport: { width: 640, height: 900 } });
  for (const path of outside) {
    await page.goto(path);
    await page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
    await expectNoSidewaysScroll(page);
  }
});

test('every link leads somewhere', async ({ admin, open }) => {
  const stranger = await open({ authenticator: 'none' });
  const dead: string[] = [];
  for (const [device, paths] of [[stranger, outside], [admin, inside]] as const) {
    const seen = new Set<string>();
    for (const path of paths) {
      await device.page.goto(path);
      for (const href of await device.page.locator('a[href]').evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).href))) {
        const url = new URL(href);
        url.hash = '';
        if (url.origin !== new URL(device.page.url()).origin || url.pathname === path || seen.has(url.href)) continue;
        seen.add(url.href);
        const answer = await device.page.request.get(url.href, { headers: { accept: 'text/html' } });
        if (answer.status() >= 400) dead.push(`${path} → ${url.pathname}: ${answer.status()}`);
      }
    }
    expect(seen.size).toBeGreaterThan(0);
  }
  expect(dead).toEqual([]);
});

test('without script the pages explain themselves, and a pass still signs in', async ({ graph, grace, open }) => {
  const pass = await graph.pass(grace);
  const { page } = await open({ authenticator: 'none', javaScriptEnabled: false });
  await page.goto('/signin');
  // Text locators skip what stands in noscript, as pages with script do.
  const note = page.locator('noscript').getByRole('paragraph');
  await expect(note).toBeVisible();
  await expect(note).toContainText('Passkeys need JavaScript, and it is switched off here.');
  await expect(page.getByRole('button', { name: 'Sign in with a passkey' })).toBeHidden();
  await enterPass(page, grace.userPrincipalName, pass);
  await expect(note).toContainText('Creating a passkey needs JavaScript, and it is switched off here.');
  await openSecurityInfo(page);
  await expect(page.getByText('Sign in without a password')).toBeVisible();
});

test('by keyboard alone: from the skip link to a passkey', async ({ graph, grace, open }) => {
  const { page, authenticator } = await open();
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace));
  await expect(heading(page, 'Now create a passkey')).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('button', { name: 'Create a passkey' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(heading(page, 'Let’s name your passkey')).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(page.getByLabel('Name')).toBeFocused();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type('Work laptop');
  await page.keyboard.press('Enter');
  await expect(heading(page, 'Passkey created')).toBeFocused();
  expect(await authenticator.credentials()).toHaveLength(1);
  expect(await graph.passkeys(grace)).toMatchObject([{ displayName: 'Work laptop' }]);
});

test('a signed-in person’s pages are not in the cache after signing out', async ({ admin }) => {
  const { page } = admin;
  await openSecurityInfo(page);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(heading(page, 'You are signed out')).toBeVisible();
  await admin.authenticator.presence(false);
  await page.goBack();
  await expect(page.getByText('Ada Lovelace')).toBeHidden();
});

test('no page of another origin can frame the sign-in page', async ({ admin, server, startApp }) => {
  const app = await startApp('Frame');
  await admin.page.goto(app.url);
  const framed = await admin.page.evaluate((src) => new Promise<boolean>((done) => {
    const frame = document.createElement('iframe');
    frame.src = src;
    frame.onload = () => { try { done(frame.contentDocument !== null); } catch { done(false); } };
    document.body.append(frame);
  }), `${server.url}/signin`);
  admin.watch.forgive(/frame-ancestors|X-Frame-Options/i);
  expect(framed).toBe(false);
  await expect(admin.page.frameLocator('iframe').getByRole('heading', { name: 'Sign in' })).toBeHidden();
});
