// Proves that the instruments of the other tests can see anything: pages that
// are wrong on purpose, with the policy of our own pages.
import { createServer, type Server as HTTP } from 'node:http';
import { expect, test } from '@playwright/test';
import { expectAccessible, expectNoSidewaysScroll, expectTargets } from '../harness/accessibility.ts';
import { Device } from '../harness/device.ts';

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const page = (body: string, head = '<link rel="stylesheet" href="/style.css">') => `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Test</title><link rel="icon" href="/icon.svg">${head}</head><body><main><h1>Test</h1>${body}</main></body></html>`;

const pages: Record<string, string> = {
  '/good': page('<p>Fine</p><script type="module" src="/good.js"></script>'),
  '/inline': page('<script>document.title = "x"</script>'),
  '/eval': page('<script type="module" src="/eval.js"></script>'),
  '/markup': page('<script type="module" src="/markup.js"></script>'),
  '/throw': page('<script type="module" src="/throw.js"></script>'),
  '/away': page('<form action="https://elsewhere.invalid/" method="post"><button>Send</button></form>'),
  '/bare': page('<p>No style</p>', ''),
  '/wide': page('<p class="wide">Wide</p><button>Low</button>'),
  '/faint': page('<p class="faint">Hard to read</p><input>'),
};
const files: Record<string, [type: string, text: string]> = {
  '/style.css': ['text/css', 'body{margin:0}.wide{width:2000px}.faint{color:#ccc;background:#fff}button{height:20px;padding:0;border:0}'],
  '/icon.svg': ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"/>'],
  '/good.js': ['text/javascript', 'document.body.append("ran")'],
  '/eval.js': ['text/javascript', 'try { new Function("1") } catch {}'],
  '/markup.js': ['text/javascript', 'try { document.body.innerHTML = "<b>x</b>" } catch {}'],
  '/throw.js': ['text/javascript', 'throw new Error("broken on purpose")'],
};

let http: HTTP, origin: string;
test.beforeAll(async () => {
  http = createServer((ask, answer) => {
    const path = ask.url ?? '/';
    const file = files[path];
    if (path === '/fails') answer.writeHead(500, { 'content-type': 'text/html' }).end(page('<p>Failed</p>'));
    else if (file) answer.writeHead(200, { 'content-type': file[0] }).end(file[1]);
    else answer.writeHead(pages[path] ? 200 : 404, { 'content-type': 'text/html', 'content-security-policy': policy }).end(pages[path] ?? page('<p>Nothing</p>'));
  });
  await new Promise<void>((ready) => http.listen(0, '127.0.0.1', ready));
  origin = `http://localhost:${(http.address() as { port: number }).port}`;
});
test.afterAll(() => { http.close(); http.closeAllConnections(); });

test('a good page gives no trouble, and looking at it gives none', async ({ browser }) => {
  const device = await Device.open(browser, origin);
  await device.page.goto('/good');
  await expect(device.page.getByText('ran')).toBeVisible();
  expect(await device.page.evaluate(() => document.title)).toBe('Test');
  expect(device.watch.troubles).toEqual([]);
  await device.close();
});

for (const [path, trouble] of [
  ['/inline', /script-src-elem/], ['/eval', /require-trusted-types-for|script-src/], ['/markup', /require-trusted-types-for/],
  ['/throw', /broken on purpose/], ['/bare', /not styled/], ['/fails', /status 500/],
] as const) {
  test(`the watch sees ${path}`, async ({ browser }) => {
    const device = await Device.open(browser, origin, { authenticator: 'none' });
    await device.page.goto(path);
    await expect.poll(() => device.watch.troubles.join('\n')).toMatch(trouble);
    await device.close();
  });
}

test('the watch sees a form that leads away', async ({ browser }) => {
  const device = await Device.open(browser, origin, { authenticator: 'none' });
  await device.page.goto('/away');
  await device.page.getByRole('button', { name: 'Send' }).click({ noWaitAfter: true });
  await expect.poll(() => device.watch.troubles.join('\n')).toMatch(/form-action/);
  await device.close();
});

test('axe sees faint text and a field without a label', async ({ browser }) => {
  const device = await Device.open(browser, origin, { authenticator: 'none', bypassCSP: true });
  await device.page.goto('/faint');
  const failure = await expectAccessible(device.page, 'faint').then(() => '', (f: Error) => f.message);
  expect(failure).toMatch(/color-contrast/);
  expect(failure).toMatch(/label/);
  await device.page.goto('/good');
  await expectAccessible(device.page, 'good');
  await device.close();
});

test('low targets and sideways scroll are seen', async ({ browser }) => {
  const device = await Device.open(browser, origin, { authenticator: 'none', viewport: { width: 320, height: 640 } });
  await device.page.goto('/wide');
  await expect(expectTargets(device.page)).rejects.toThrow(/“Low”: 20 px/);
  await expect(expectNoSidewaysScroll(device.page)).rejects.toThrow(/wider than its window/);
  await device.page.goto('/good');
  await expectTargets(device.page);
  await expectNoSidewaysScroll(device.page);
  await device.close();
});

test('a synced passkey works on a second device, a removed one nowhere', async ({ browser }) => {
  const make = () => navigator.credentials.create({ publicKey: { rp: { id: 'localhost', name: 'Test' }, user: { id: new Uint8Array([1]), name: 'ada', displayName: 'Ada' }, challenge: new Uint8Array(32), pubKeyCredParams: [{ type: 'public-key', alg: -7 }], authenticatorSelection: { residentKey: 'required', userVerification: 'required' } } }).then((c) => c?.id ?? '');
  const use = () => navigator.credentials.get({ publicKey: { rpId: 'localhost', challenge: new Uint8Array(32), userVerification: 'required' } }).then((c) => c?.id ?? '', (f: Error) => f.name);
  const first = await Device.open(browser, origin), second = await Device.open(browser, origin);
  await first.page.goto('/good');
  await second.page.goto('/good');
  const id = await first.page.evaluate(make);
  expect((await first.authenticator.credentials())[0]).toMatchObject({ backupEligibility: true, backupState: true, isResidentCredential: true });
  expect(await second.page.evaluate(use)).toBe('NotAllowedError');
  await first.authenticator.syncTo(second.authenticator);
  expect(await second.page.evaluate(use)).toBe(id);
  await second.authenticator.verifies(false);
  expect(await second.page.evaluate(use)).toBe('NotAllowedError');
  await first.close();
  await second.close();
});
