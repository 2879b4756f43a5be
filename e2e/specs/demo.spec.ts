// `cardea demo`: three invented people come in by their printed links.
import { card, createPasskey, heading, openSecurityInfo } from '../harness/journeys.ts';
import { expect, test } from '../harness/test.ts';

test.use({ serverOptions: { bare: true, command: ['demo'] } });

test('the administrator, a seller, and an IT administrator who is refused', async ({ server, open }) => {
  const [owner, seller, strict] = await server.links('enrol');

  await test.step('the administrator makes a passkey and lands at home', async () => {
    const { page } = await open();
    await page.goto(owner!);
    await expect(page.getByRole('note')).toHaveText('Demonstration: invented people, this computer only. Do not use it for real work.');
    await page.getByRole('button', { name: 'Begin' }).click();
    await createPasskey(page);
    await page.goto('/');
    await expect(heading(page, /^Hello, /)).toBeVisible();
    await expect(page.getByRole('link', { name: /^Administration/ })).toBeVisible();
  });

  await test.step('the seller reads which password managers are accepted', async () => {
    const { page } = await open();
    await page.goto(seller!);
    await page.getByRole('button', { name: 'Begin' }).click();
    await expect(page.getByText(/accepts passkeys from: /)).toContainText('iCloud Keychain');
  });

  await test.step('the IT administrator is refused with a synced passkey: profile, rule, way out', async () => {
    const { page, authenticator } = await open();
    await page.goto(strict!);
    await page.getByRole('button', { name: 'Begin' }).click();
    await page.getByRole('button', { name: 'Create a passkey' }).click();
    const said = page.getByRole('status');
    await expect(said).toContainText('security key');
    await expect(said).toContainText('Administrators: attested security keys');
    await expect(said).toContainText('Rule passkeyTypeNotAllowed');
    await expect.poll(async () => (await authenticator.credentials()).length).toBe(0);
  });

  await test.step('a link that was used is used up', async () => {
    const { page } = await open();
    await page.goto(owner!);
    const begin = page.getByRole('button', { name: 'Begin' });
    if (await begin.isVisible()) await begin.click();
    await page.goto('/security-info');
    await expect(heading(page, 'Security info')).toBeHidden();
  });
});

test('the demo sets nobody up on real data', async ({ server, open }) => {
  const { page } = await open();
  const [owner] = await server.links('enrol');
  await page.goto(owner!);
  await page.getByRole('button', { name: 'Begin' }).click();
  await createPasskey(page, 'Demo laptop');
  await openSecurityInfo(page);
  await expect(card(page, 'Demo laptop')).toBeVisible();
  await expect(server.file('cardea.db')).rejects.toThrow('ENOENT'); // not in the data folder
});
