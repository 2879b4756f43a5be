// An application that nobody here wrote the protocol of signs people in.
import * as oidc from 'openid-client';
import type { App } from '../harness/app.ts';
import type { Device } from '../harness/device.ts';
import { heading, signInByButton, signOut } from '../harness/journeys.ts';
import { expect, test } from '../harness/test.ts';

// enter signs the device's owner in to app, by the button if Cardea asks.
async function enter(device: Device, app: App, query = ''): Promise<void> {
  const named = device.page.waitForRequest('**/signin/passkey/options').then(() => expect(device.page.getByText(`to continue to ${app.name}`)).toBeVisible());
  await signInByButton(device, `${app.url}/signin${query}`);
  await named;
  await expect(device.page.getByText('Signed in as Ada Lovelace')).toBeVisible();
}

test.beforeEach(async ({ admin }) => {
  await admin.page.goto('/');
  await signOut(admin.page);
});

test('code with PKCE, claims, user info, refresh, and the reuse of a refresh token', async ({ admin, startApp }) => {
  const app = await startApp('Payroll');
  await enter(admin, app);
  const tokens = app.tokens!, claims = tokens.claims()!;
  expect(claims).toMatchObject({ iss: app.config.serverMetadata().issuer, aud: app.registration.appId, name: 'Ada Lovelace', preferred_username: 'ada@contoso.com', ver: '2.0' });
  expect(claims.amr).toContain('fido');
  expect(claims.auth_time).toEqual(expect.any(Number));
  expect(new URL(app.callbacks[0]!.url).searchParams.get('iss')).toBe(claims.iss);

  const info = await oidc.fetchUserInfo(app.config, tokens.access_token, claims.sub);
  expect(info).toMatchObject({ sub: claims.sub, name: 'Ada Lovelace' });

  const second = await oidc.refreshTokenGrant(app.config, tokens.refresh_token!);
  expect(second.refresh_token).not.toBe(tokens.refresh_token);
  expect(second.claims()?.sub).toBe(claims.sub);

  await test.step('the first one comes again: somebody copied it, so the family ends', async () => {
    await expect(oidc.refreshTokenGrant(app.config, tokens.refresh_token!)).rejects.toMatchObject({ error: 'invalid_grant' });
    await expect(oidc.refreshTokenGrant(app.config, second.refresh_token!)).rejects.toMatchObject({ error: 'invalid_grant' });
  });
});

test('signing out of the application signs out of Cardea, and back to the application', async ({ admin, startApp }) => {
  const app = await startApp('Payroll');
  await enter(admin, app);
  const refresh = app.tokens!.refresh_token!;
  await admin.authenticator.presence(false);
  await admin.page.goto(app.url);
  await admin.page.getByRole('link', { name: 'Sign out' }).click();
  await expect(heading(admin.page, 'Goodbye')).toBeVisible();
  await expect(admin.page.getByText('until/later==', { exact: true })).toBeVisible();
  await admin.page.goto('/security-info');
  await expect(heading(admin.page, 'Sign in')).toBeVisible();
  await expect(oidc.refreshTokenGrant(app.config, refresh)).rejects.toMatchObject({ error: 'invalid_grant' });
});

test('form_post comes back as a post from our page, past the policy', async ({ admin, startApp }) => {
  const app = await startApp('Payroll');
  await enter(admin, app, '?response_mode=form_post');
  expect(app.callbacks).toMatchObject([{ method: 'POST', url: `${app.url}/callback` }]);
});

test('one sign-in serves two applications; prompt=login asks again, prompt=none never', async ({ admin, startApp, open }) => {
  const payroll = await startApp('Payroll'), wiki = await startApp('Wiki');
  await enter(admin, payroll);
  const sub = payroll.tokens!.claims()!.sub;
  await admin.authenticator.presence(false);
  await admin.page.goto(`${wiki.url}/signin`);
  await expect(admin.page.getByText('Signed in as Ada Lovelace')).toBeVisible();
  expect(wiki.tokens!.claims()!.sid).toBe(payroll.tokens!.claims()!.sid);
  expect(wiki.tokens!.claims()!.sub).not.toBe(sub); // pairwise

  await admin.page.goto(`${wiki.url}/signin?prompt=none`);
  await expect(admin.page.getByText('Signed in as Ada Lovelace')).toBeVisible();

  await test.step('prompt=login proves it again', async () => {
    const before = wiki.tokens!.claims()!.auth_time!;
    await admin.page.goto(`${wiki.url}/signin?prompt=login`);
    await expect(heading(admin.page, 'Confirm it’s you')).toBeVisible();
    await admin.authenticator.presence(true); // this page has no autofill
    await admin.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await expect(admin.page.getByText('Signed in as Ada Lovelace')).toBeVisible();
    expect(wiki.tokens!.claims()!.auth_time!).toBeGreaterThanOrEqual(before);
    expect(wiki.callbacks).toHaveLength(3);
  });

  await test.step('prompt=none without a session is an error, not a page', async () => {
    const stranger = await open({ authenticator: 'none' });
    stranger.watch.forgive(/./);
    await stranger.page.goto(`${payroll.url}/signin?prompt=none`);
    await expect(stranger.page.getByRole('alert')).toContainText('login_required');
  });
});

test('a wrong redirect address never gets the browser', async ({ admin, startApp }) => {
  const app = await startApp('Payroll');
  const address = await app.authorization();
  address.searchParams.set('redirect_uri', 'https://evil.example/callback');
  const answer = await admin.page.goto(address.href);
  expect(answer?.status()).toBe(400);
  expect(new URL(admin.page.url()).origin).toBe(new URL(app.config.serverMetadata().issuer).origin);
  await expect(admin.page.getByRole('main')).toContainText(/redirect/i);
});
