// Setting Cardea up: a one-time link, three steps, and a door that closes.
import { ada, createPasskey, heading, setUp } from '../harness/journeys.ts';
import { expect, test } from '../harness/test.ts';

test.use({ serverOptions: { bare: true } });

test('the first administrator comes in through the printed link and owns a passkey', async ({ server, open }) => {
  const { page, authenticator } = await open();
  const link = await server.setupLink();
  await setUp(page, link, ada);
  await expect(page.getByText('Ada Lovelace, you sign in as ada@contoso.com')).toBeVisible();
  expect(await authenticator.credentials()).toHaveLength(1);
  expect((await authenticator.credentials())[0]).toMatchObject({ rpId: 'localhost', isResidentCredential: true, userName: 'ada@contoso.com', userDisplayName: 'Ada Lovelace' });
  await page.getByRole('link', { name: 'Go to my page' }).click();
  await expect(heading(page, 'Hello, Ada Lovelace')).toBeVisible();
  await expect(page.getByRole('link', { name: /^Administration/ })).toBeVisible();
});

test('the link is dead once an administrator has a passkey, and says what to do', async ({ server, open }) => {
  const { page } = await open();
  const link = await server.setupLink();
  await setUp(page, link);
  const stranger = await open({ authenticator: 'device' });
  await stranger.page.goto(link);
  await expect(heading(stranger.page, 'Set up Cardea')).toBeHidden();
  await expect(stranger.page.getByRole('link', { name: /Go to start|Sign in/ })).toBeVisible();
  const again = await server.command('bootstrap');
  expect(again.output).toContain(`Cardea is ready at  ${server.url}`);
  expect(again.output).not.toContain('/setup?');
  await expect(server.file('setup-link.txt')).rejects.toThrow('ENOENT'); // bootstrap tidied up
});

test('nobody gets in without the link', async ({ server, open }) => {
  await server.setupLink();
  const { page } = await open();
  await page.goto('/');
  await expect(heading(page, 'Sign in')).toBeVisible();
  for (const path of ['/setup', '/setup?link=', '/setup?link=guessed.guessed']) {
    await page.goto(path);
    await expect(heading(page, 'Set up Cardea')).toBeHidden();
    await expect(page.getByRole('main')).not.toBeEmpty();
  }
});

test('the link lies in a file for its owner only; a new one voids the old', async ({ server, open }) => {
  const first = await server.setupLink();
  const file = await server.file('setup-link.txt');
  expect(file.text.trim()).toBe(first);
  expect(file.mode).toBe(0o600);
  const printed = await server.command('bootstrap');
  const second = printed.output.match(/https?:\/\/\S+\/setup\?\S+/)?.[0] ?? '';
  expect(second).not.toBe(first);
  const { page } = await open();
  await page.goto(first);
  await expect(heading(page, 'Set up Cardea')).toBeHidden();
  await setUp(page, second);
});

test('names that do not do are explained, and what was typed stays', async ({ server, open }) => {
  const { page } = await open();
  await page.goto(await server.setupLink());
  await page.getByLabel('Organisation').fill('Contoso');
  await page.getByLabel('Your name').fill('Ada Lovelace');
  await page.getByLabel('Your username').fill('ada lovelace@');
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('alert')).toHaveText('Use letters, digits, dots and hyphens, then @ and your domain.');
  await expect(page.getByLabel('Organisation')).toHaveValue('Contoso');
  await expect(page.getByLabel('Your username')).toHaveValue('ada lovelace@');
  await page.getByLabel('Your username').fill('ada@contoso.com');
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(heading(page, 'Create your passkey')).toBeVisible();
});

test('closing the browser before the passkey exists loses nothing', async ({ server, open }) => {
  const link = await server.setupLink();
  const first = await open();
  await first.page.goto(link);
  await first.page.getByLabel('Organisation').fill('Contoso');
  await first.page.getByLabel('Your name').fill('Ada Lovelace');
  await first.page.getByLabel('Your username').fill('ada@contoso.com');
  await first.page.getByRole('button', { name: 'Next' }).click();
  await expect(heading(first.page, 'Create your passkey')).toBeVisible();
  await first.close();
  // The operator asks for a new link; no administrator has a passkey yet.
  const printed = await server.command('bootstrap');
  const link2 = printed.output.match(/https?:\/\/\S+\/setup\?\S+/)?.[0] ?? '';
  const second = await open();
  await setUp(second.page, link2);
});

test('a key without backup works for set-up too', async ({ server, open }) => {
  const { page, authenticator } = await open({ authenticator: 'key' });
  await page.goto(await server.setupLink());
  await page.getByLabel('Organisation').fill('Contoso');
  await page.getByLabel('Your name').fill('Ada Lovelace');
  await page.getByLabel('Your username').fill('ada@contoso.com');
  await page.getByRole('button', { name: 'Next' }).click();
  await createPasskey(page, 'Blue key');
  expect((await authenticator.credentials())[0]).toMatchObject({ backupEligibility: false, backupState: false });
  await page.goto('/security-info');
  await expect(page.getByRole('heading', { name: 'Blue key' })).toBeVisible();
  await expect(page.getByText('Only on this key')).toBeVisible();
});
