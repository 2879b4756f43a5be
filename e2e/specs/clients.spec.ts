// Clients that Microsoft wrote for Entra, pointed at Cardea over https by the
// lines of docs/clients.md (WC-88).
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as ask } from 'node:https';
import { fileURLToPath } from 'node:url';
import { chromium, expect, test } from '@playwright/test';
import { Device } from '../harness/device.ts';
import { heading, setUp, signInByButton, signOut } from '../harness/journeys.ts';
import { Server } from '../harness/server.ts';
import { SPA } from '../harness/spa.ts';

let server: Server;
test.beforeAll(async () => { server = await Server.start({ tls: true }); });
test.afterAll(async () => { await server?.stop(); });

const host = () => new URL(server.url).host;

// call sends JSON to the server, whose authority this process does not trust by itself.
function call(path: string, body: string, headers: Record<string, string>): Promise<{ status: number; body: Record<string, unknown> }> {
  return new Promise((done, failed) => {
    const r = ask(server.url + path, { method: 'POST', ca: readFileSync(server.authority), headers }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => { text += chunk.toString(); });
      answer.on('end', () => done({ status: answer.statusCode ?? 0, body: JSON.parse(text) as Record<string, unknown> }));
    });
    r.on('error', failed).end(body);
  });
}

test('msal-node, @azure/identity and microsoft-graph-client', async () => {
  const { tenantId, clientId, clientSecret } = server.automation;
  const child = spawn(process.execPath, [fileURLToPath(new URL('../clients/graph.mjs', import.meta.url))], {
    env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: server.authority, HOST: host(), TENANT: tenantId, CLIENT_ID: clientId, CLIENT_SECRET: clientSecret },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '', err = '';
  child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString(); });
  child.stderr.on('data', (chunk: Buffer) => { err += chunk.toString(); });
  const status = await new Promise((ended) => child.once('close', ended));
  expect(status, err).toBe(0);
  const seen = JSON.parse(out) as { walked: number; count: number };
  expect(seen.walked).toBe(seen.count);
  expect(seen).toMatchObject({
    fromCache: true, wrongSecret: 'invalid_client', department: 'Sales', filtered: [1, 1], member: '#microsoft.graph.user',
    notFound: [404, 'Request_ResourceNotFound', 'string'], batch: [200, 204], challenge: true, methods: [],
  });
});

test('msal-browser in a single-page application', async () => {
  const { tenantId, clientId, clientSecret } = server.automation;
  const token = await call(`/${tenantId}/oauth2/v2.0/token`, new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret, scope: `${server.url}/.default` }).toString(), { 'Content-Type': 'application/x-www-form-urlencoded' });
  const spa = await SPA.start(host(), tenantId, async (redirectUri) => {
    const made = await call('/v1.0/applications', JSON.stringify({ displayName: 'Notes', spa: { redirectUris: [redirectUri] }, cardea: { delegatedPermissions: ['User.Read'] } }), { 'Content-Type': 'application/json', Authorization: `Bearer ${String(token.body.access_token)}` });
    expect(made.status).toBe(201);
    return String(made.body.appId);
  });
  // The browser trusts this one key as it would trust an authority: with an
  // exception in the page instead, it would offer no passkeys.
  const key = createHash('sha256').update(await server.publicKey()).digest('base64');
  const use = test.info().project.use.launchOptions ?? {};
  const browser = await chromium.launch({ ...use, args: [...(use.args ?? []), `--ignore-certificate-errors-spki-list=${key}`] });
  const device = await Device.open(browser, server.url, { authenticator: 'device' });
  try {
    await setUp(device.page, await server.setupLink());
    await device.page.goto('/');
    await signOut(device.page);
    await device.authenticator.presence(false);
    await device.page.goto(spa.url);
    await device.page.getByRole('button', { name: 'Sign in' }).click();
    await expect(heading(device.page, 'Sign in')).toBeVisible();
    await signInByButton(device, device.page.url());
    const seen = device.page.locator('#seen');
    await expect(seen).not.toBeEmpty();
    expect(JSON.parse(await seen.innerText())).toMatchObject({ signedIn: true, state: 'where was I?', name: 'Ada Lovelace', home: true, cached: true, fresh: true, differ: true, me: 'ada@contoso.com' });
  } finally {
    await device.close();
    await browser.close();
    await spa.close();
  }
});
